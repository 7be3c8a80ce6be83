// Kubenode is Kubernetes in one program: its first argument (or the name it is
// called by) says which of the components it is.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
	"k8s.io/kubernetes/pkg/controller/job"
)

const program = "kubenode"

var components = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllers.NewControllerManagerCommand,
	"kube-proxy":              proxy.NewProxyCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	"kubectl":                 kubectl.NewDefaultKubectlCommand,
}

func main() {
	if err := setJobBackoff(os.Getenv("TB_JOB_BACKOFF")); err != nil {
		fail(err)
	}
	name := filepath.Base(os.Args[0])
	if name == program && len(os.Args) > 1 {
		name = os.Args[1]
		os.Args = os.Args[1:]
	}
	component, known := components[name]
	if !known {
		fail(fmt.Errorf("no component %q", name))
	}
	os.Exit(cli.Run(component()))
}

// setJobBackoff shortens the wait of the Job controller before it replaces a
// failed pod, which no flag of Kubernetes can: 10 s, doubled with each failure.
func setJobBackoff(text string) error {
	if text == "" {
		return nil
	}
	backoff, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("TB_JOB_BACKOFF: %w", err)
	}
	job.DefaultJobPodFailureBackOff = backoff
	return nil
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", program, err)
	os.Exit(2)
}
