// Etcd is etcd's server under its own name: a build of its module would be
// called after the module's folder.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
