// SPDX-License-Identifier: Apache-2.0
// Images of containers, made of Debian's statically linked busybox and nothing else.
import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { succeed } from "./harness.ts";

const BUSYBOX = "/bin/busybox";
const COMMANDS = ["sh", "sleep", "ping", "httpd", "wget", "cat", "ip"];
/** What `httpd` serves. */
export const GREETING = "hello from a container";

/** Writes the root file system into `directory`; gives the path of a tar archive. */
export async function writeRootfs(directory: string): Promise<string> {
  const [root, archive] = [join(directory, "rootfs"), join(directory, "rootfs.tar")];
  for (const folder of ["bin", "etc", "tmp", "www"]) await mkdir(join(root, folder), { recursive: true });
  await copyFile(BUSYBOX, join(root, "bin/busybox"));
  for (const command of COMMANDS) await symlink("busybox", join(root, "bin", command));
  await writeFile(join(root, "www/index.html"), GREETING);
  await succeed("tar", ["--create", "--file", archive, "--directory", root, "."]);
  return archive;
}

/**
 * Writes an image archive (opencontainers/image-spec, image-layout.md) whose one process does nothing; gives its path. The layer is not
 * compressed, so its digest is its content's as well.
 */
export async function writePauseImage(directory: string, name: string): Promise<string> {
  const [root, archive] = [join(directory, "image"), join(directory, "image.tar")];
  const blobs = join(root, "blobs/sha256");
  await mkdir(blobs, { recursive: true });
  const add = async (mediaType: string, content: Buffer | object): Promise<Descriptor> => {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const hash = createHash("sha256").update(bytes).digest("hex");
    await writeFile(join(blobs, hash), bytes);
    return {
      mediaType: `application/vnd.oci.image.${mediaType}`,
      digest: `sha256:${hash}`,
      size: bytes.length,
    };
  };
  const layer = await add("layer.v1.tar", await readFile(await writeRootfs(directory)));
  const config = await add("config.v1+json", {
    // Go's names, as the specification wants them.
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    config: { Entrypoint: ["/bin/sleep", "infinity"] },
    rootfs: { type: "layers", diff_ids: [layer.digest] },
  });
  const manifest = await add("manifest.v1+json", { schemaVersion: 2, config, layers: [layer] });
  // What containerd calls the image, where an archive says so.
  const annotations = { "io.containerd.image.name": name };
  const index = { schemaVersion: 2, manifests: [{ ...manifest, annotations }] };
  await writeFile(join(root, "index.json"), JSON.stringify(index));
  await writeFile(join(root, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  await succeed("tar", ["--create", "--file", archive, "--directory", root, "."]);
  return archive;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}
