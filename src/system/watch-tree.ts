// SPDX-License-Identifier: Apache-2.0
import { type FSWatcher, statSync, watch } from "node:fs";
import { dirname } from "node:path";

/**
 * Calls `onChange` when something below the directory may have changed, until it is closed. Where the directory is not there, it is waited
 * for: the nearest one above that is there is watched until then.
 */
export function watchTree(directory: string, onChange: () => void): { close(): void } {
  let watcher: FSWatcher | undefined;
  let watched: Place | undefined;
  let isClosed = false;
  const follow = (): void => {
    const nearest = nearestTo(directory);
    if (isSame(nearest, watched)) return;
    watcher?.close();
    watched = nearest;
    watcher = open(nearest.path, { recursive: nearest.path === directory }, note);
    // One that came or went before it was watched is told of by nobody.
    follow();
  };
  const note = (): void => {
    if (isClosed) return;
    const before = watched;
    follow();
    if (watched?.path === directory || before?.path === directory) onChange();
  };
  follow();
  return {
    close() {
      isClosed = true;
      watcher?.close();
    },
  };
}

interface Place {
  readonly path: string;
  /** Of another directory by the same name it is another. */
  readonly inode: number | undefined;
}

function nearestTo(path: string): Place {
  const inode = statSync(path, { throwIfNoEntry: false })?.ino;
  return inode === undefined && path !== dirname(path) ? nearestTo(dirname(path)) : { path, inode };
}

function isSame(place: Place, other: Place | undefined): boolean {
  return place.path === other?.path && place.inode === other.inode;
}

function open(
  directory: string,
  { recursive }: { readonly recursive: boolean },
  note: () => void,
): FSWatcher | undefined {
  try {
    return watch(directory, { recursive, persistent: false }, note).on("error", note);
  } catch {
    // Gone meanwhile, or more than the system watches: what comes is read with the next change of what is wanted.
    return undefined;
  }
}
