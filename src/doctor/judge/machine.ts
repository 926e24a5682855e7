// SPDX-License-Identifier: Apache-2.0
import { type Check, orWell, subject } from "../check.ts";
import type { ClockSeen, DiskSpace, Known, MachineSeen } from "../observation.ts";

const MIB = 1024 * 1024;
/** What is written is small: journal, BIRD's files, and an embedded datastore, which is written whole as it is compacted. */
const SCARCE_BYTES = 256 * MIB;
const FULL_BYTES = 16 * MIB;
const SCARCE_FILES = 1000;
const FULL_FILES = 50;

export function judgeMachine({ disks, managed, clock }: MachineSeen): readonly Check[] {
  return [
    ...disks.map(({ directory, space }) => judgeDisk(directory, space)),
    ...judgeNetworkManager(managed),
    judgeClock(clock),
  ];
}

function judgeDisk(directory: string, known: Known<DiskSpace>): Check {
  const checked = subject("disk", directory);
  if (known.kind === "unknown") return checked.skipped(known.reason);
  const { free, size, freeFiles, files } = known.value;
  const left = `${Math.floor(free / MIB)} of ${Math.floor(size / MIB)} MiB are free`;
  const reason = files === 0 ? left : `${left}, and ${freeFiles} of ${files} files`;
  const advice =
    "make room: without it no container is added or removed, and an embedded datastore takes no writes";
  const isBelow = (bytes: number, count: number): boolean =>
    free < bytes || (files !== 0 && freeFiles < count);
  if (isBelow(FULL_BYTES, FULL_FILES)) return checked.fault(reason, advice);
  return isBelow(SCARCE_BYTES, SCARCE_FILES) ? checked.warning(reason, advice) : checked.ok(reason);
}

/** No fault: the clock may be right all the same, and no packet's way depends on it. */
function judgeClock(known: Known<ClockSeen>): Check {
  const checked = subject("clock", "synchronisation");
  if (known.kind === "unknown") return checked.skipped(known.reason);
  const { isKept, maxErrorMs } = known.value;
  if (isKept) return checked.ok(`kept in step, and wrong by ${Math.ceil(maxErrorMs)} ms at most`);
  return checked.warning(
    "nobody has told the kernel lately that the clock is kept in step (STA_UNSYNC, adjtimex(2)); times that nodes store and log cannot be relied on to compare",
    'keep it in step by NTP, as systemd-timesyncd does, or chronyd with "rtcsync"; where something else keeps it that does not tell the kernel, all is well',
  );
}

function judgeNetworkManager(known: Known<readonly string[]>): readonly Check[] {
  const all = subject("NetworkManager", "Margay's interfaces");
  if (known.kind === "unknown") return [all.skipped(known.reason)];
  return orWell(
    known.value.map((name) =>
      subject("NetworkManager", name).fault(
        "it manages this interface, and takes away what it has not given it",
        'leave it to Margay; "margay node install" writes /etc/NetworkManager/conf.d/margay.conf, which does so for good',
        `nmcli device set ${name} managed no`,
      ),
    ),
    all.ok("it leaves them alone, or is not here"),
  );
}
