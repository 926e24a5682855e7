// SPDX-License-Identifier: Apache-2.0
import { closeSync, constants, fstatSync, openSync, stat, statSync } from "node:fs";
import { KernelError, isKernelError } from "./kernel-error.ts";
import { CLONE_NEWNET, setns } from "./syscalls.ts";

/** The calling thread's own network namespace. */
const CURRENT = "/proc/thread-self/ns/net";

/** A network namespace that is held open: it exists for as long as this does. */
export interface Netns extends Disposable {
  readonly fd: number;
  readonly path: string;
  /** `<device>:<inode>`: equal for two handles of one namespace. */
  readonly id: string;
  /**
   * Runs the action inside the namespace: sockets it opens stay there, processes it starts run there, and `/proc/sys/net` is
   * that namespace's. The action must be synchronous, for everything else in the process would run there too while it
   * waited; and only what Node does at once counts: `listen` and `connect` with a host look that up first, and `node:fs`
   * calls that are not synchronous run on threads that stay at home.
   */
  run<T>(action: () => T): T;
}

/** Opens `/run/netns/<name>`, `/proc/<pid>/ns/net` or the like. Throws `KernelError`; `EINVAL`: it is no network namespace. */
export function openNetns(path: string): Netns {
  const op = `open network namespace "${path}"`;
  startThreadPool();
  const fd = openFile(path, op);
  try {
    // Whether the kernel would go there is the only test that also covers a namespace of another type.
    runIn(fd, () => undefined);
    return createHandle(fd, path);
  } catch (error) {
    closeSync(fd);
    if (!isKernelError(error, "EINVAL")) throw error;
    throw new KernelError(op, error.errno, { extAck: "it is no network namespace", cause: error });
  }
}

/** The {@link Netns.id} of the namespace that the calling thread is in. */
export function currentNetnsId(): string {
  const { dev, ino } = statSync(CURRENT, { bigint: true });
  return `${dev}:${ino}`;
}

function createHandle(fd: number, path: string): Netns {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  let isOpen = true;
  return {
    fd,
    path,
    id: `${dev}:${ino}`,
    run(action) {
      if (!isOpen) throw new Error(`Cannot enter network namespace "${path}": it is closed`);
      return runIn(fd, action);
    },
    [Symbol.dispose]() {
      if (isOpen) closeSync(fd);
      isOpen = false;
    },
  };
}

function runIn<T>(fd: number, action: () => T): T {
  const home = openFile(CURRENT, "open own network namespace");
  try {
    setns(fd, CLONE_NEWNET);
    try {
      const result = action();
      if (!(result instanceof Promise)) return result;
    } finally {
      goHome(home);
    }
  } finally {
    closeSync(home);
  }
  throw new TypeError("Cannot run in network namespace: the action is asynchronous");
}

/** Whatever the process did next would happen in the wrong namespace, so it does nothing more at all. */
function goHome(fd: number): void {
  try {
    setns(fd, CLONE_NEWNET);
  } catch (error) {
    process.stderr.write(`Cannot return from network namespace: ${String(error)}\n`);
    process.abort();
  }
}

let isPoolStarted = false;

/**
 * libuv starts its threads at the first asynchronous call, and a thread is born in the namespace of the one that starts it.
 * Starting them here keeps them out of the namespaces that actions run in.
 */
function startThreadPool(): void {
  if (isPoolStarted) return;
  isPoolStarted = true;
  stat("/", () => undefined);
}

function openFile(path: string, op: string): number {
  try {
    // Without blocking: a named pipe would keep the whole process waiting for its writer.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw KernelError.from(op, error);
  }
}
