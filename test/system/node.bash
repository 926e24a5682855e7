# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What pages of the documentation have the test do besides the commands that they show: sourced by the shell of a machine.

# eventually COMMAND…: until it succeeds.
eventually() { until "$@" >/dev/null 2>&1; do sleep 0.1; done; }

ask() { curl --silent --fail --unix-socket /run/margay/agent.sock "http://margay/$1"; }
# answers, ready: until the agent answers, until its node is ready.
answers() { eventually ask healthz; }
ready() { eventually ask readyz; }

# speaks: whether a BGP session stands.
speaks() { ask api/v1/bgp | grep -q '"Established"'; }

# node: makes this machine a node as docs/install.md says, of which runtimes do not know.
node() { margay node install --no-chain >/dev/null && systemctl start margay-agent && answers; }

# pool NAME CIDR
pool() {
  margay apply -f - <<END >/dev/null
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: { name: $1 }
spec: { cidr: $2 }
END
  ready
}

# cni COMMAND CONTAINER: a call of the plugin, as a runtime makes it.
cni() {
  CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=/run/netns/$2 CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin \
    /opt/cni/bin/margay-cni <<<'{"cniVersion":"1.0.0","name":"margay","type":"margay-cni"}'
}

# attach CONTAINER, detach CONTAINER: a container is a network namespace.
attach() { ip netns add "$1" && cni ADD "$1" >/dev/null; }
detach() { cni DEL "$1" && ip netns del "$1"; }
address() { ip -n "$1" -4 -o address show eth0 | awk '{ print $4 }' | cut -d/ -f1; }

# store ARGUMENT…: what machines tell each other goes by etcd.
store() { ETCDCTL_API=3 etcdctl --endpoints http://192.168.0.101:2379 "$@"; }

# etcd DIRECTORY: one member, which answers when this returns.
etcd() {
  systemd-run --quiet --unit=etcd-member --property=Type=notify "$(type -P etcd)" --data-dir "$1" \
    --listen-client-urls http://192.168.0.101:2379 --advertise-client-urls http://192.168.0.101:2379 \
    --listen-peer-urls http://127.0.0.1:2380
}

# watch CONTAINER ADDRESS: sends packets from the container until `lost`, which fails if one of them was.
watch() {
  ip netns exec "$1" ping -i 0.05 "$2" >/run/watch &
  watching=$!
  eventually grep -q 'icmp_seq=3 ' /run/watch
}
lost() {
  kill -INT $watching
  wait $watching
  tail -2 /run/watch
  grep -q ' 0% packet loss' /run/watch
}
