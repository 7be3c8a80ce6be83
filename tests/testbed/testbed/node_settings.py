"""The settings of a node's programs, as they are written into its folder.

A folder per node holds what a machine has once. What they say of control groups is for version 1.
"""

from pathlib import Path

from testbed import images, network
from testbed.pki import Pki


def socket(folder: Path) -> str:
    """Return where a node's containerd listens."""
    return str(folder / "containerd.sock")


def containerd(folder: Path, shims: str) -> str:
    """Write its configuration; shims are in a group of their own, for they outlive it."""
    runtime = 'plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc'
    unused = [
        *(f"io.containerd.snapshotter.v1.{name}" for name in ("aufs", "btrfs", "devmapper", "zfs")),
        "io.containerd.internal.v1.opt",
        "io.containerd.internal.v1.tracing",
        "io.containerd.tracing.processor.v1.otlp",
    ]
    return f"""
version = 2
root = "{folder}/containerd"
state = "{folder}/state"
oom_score = 0
disabled_plugins = {unused}
[grpc]
  address = "{socket(folder)}"
[ttrpc]
  address = "{socket(folder)}.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{images.PAUSE}"
  disable_apparmor = true
  restrict_oom_score_adj = true  # a machine may lack the right to protect a process
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [{runtime}]
      runtime_type = "io.containerd.runc.v2"
      base_runtime_spec = "{folder}/container.json"
      [{runtime}.options]
        SystemdCgroup = false
        ShimCgroup = "/{shims}"
        Root = "{folder}/runc"
"""


def pod_network(folder: Path, node: int) -> dict:
    """Return the list of plugins that join a pod to its node's bridge."""
    addresses = {
        "type": "host-local",
        "dataDir": str(folder / "addresses"),
        "ranges": [[{"subnet": network.pods(node)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": addresses,
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": "testbed", "plugins": [bridge, ports]}


def kubelet(folder: Path, pki: Pki, node: int) -> dict:
    """Return its configuration: a full disk evicts nothing, and signs of life come often."""
    name = network.namespace(node)
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": network.address(node),
        "readOnlyPort": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki.path("ca.crt"))},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki.path(f"kubelet-{name}.crt")),
        "tlsPrivateKeyFile": str(pki.path(f"kubelet-{name}.key")),
        "containerRuntimeEndpoint": f"unix://{socket(folder)}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{name}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": ["pods"],
        "clusterDNS": [network.GATEWAY],
        "clusterDomain": "cluster.local",
        "resolvConf": str(folder / "resolv.conf"),
        "podLogsDir": str(folder / "logs"),
        "volumePluginDir": str(folder / "volume-plugins"),
        "nodeStatusUpdateFrequency": "2s",
        "nodeStatusReportFrequency": "10s",
        "nodeLeaseDurationSeconds": 8,
        "syncFrequency": "10s",
        "fileCheckFrequency": "0s",
        "httpCheckFrequency": "0s",
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        "imageGCHighThresholdPercent": 100,
    }


def proxy(pki: Pki, node: int) -> dict:
    """Return its configuration; it may not change the machine's connection tracking."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": str(pki.path("proxy.kubeconfig"))},
        "hostnameOverride": network.namespace(node),
        "bindAddress": network.address(node),
        "clusterCIDR": network.PODS,
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
        "iptables": {"minSyncPeriod": "0s"},
    }
