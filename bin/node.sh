# SPDX-License-Identifier: Apache-2.0
# Sourced with $root set. Sets NODE to a Node that runs TypeScript sources, 24 or newer, or ends with what to do; and PATH.
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
# Debian keeps bird and nft where the PATH of a cron job or of "su" may not lead.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH
