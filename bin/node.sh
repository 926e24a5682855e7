# SPDX-License-Identifier: Apache-2.0
# Sourced with $root set. Sets NODE to a Node that runs TypeScript sources, 24 or newer, or ends with what to do; and its environment.
# shellcheck shell=sh
NODE=$root/bin/node
[ -x "$NODE" ] || NODE=$root/node_modules/.bin/node
if [ ! -x "$NODE" ]; then
  NODE=$(command -v node || true)
  version=$([ -z "$NODE" ] || "$NODE" --version)
  major=${version#v}
  major=${major%%.*}
  if [ "${major:-0}" -lt 24 ]; then
    remedy='install one'
    [ ! -e "$root/scripts/setup" ] || remedy="run $root/scripts/setup, which brings one"
    echo "margay: needs Node 24 or newer, found ${version:-none}; $remedy" >&2
    exit 1
  fi
fi
# Node keeps what it compiles for the next process that needs the same sources, which halves the work of a start. Not below /tmp, where
# another user may have written, and root would run it; where the folder cannot be written, nothing is kept.
NODE_COMPILE_CACHE=/var/cache/margay/node
export NODE_COMPILE_CACHE
# Debian keeps bird and nft where the PATH of a cron job or of "su" may not lead.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH
