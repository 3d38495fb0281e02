package lab

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"svctour/lab/child/controlplane"
)

// writeKubeconfig writes the way into the lab, readable by nobody else.
func writeKubeconfig(path string, plane *controlplane.ControlPlane) error {
	config := clientcmdapi.NewConfig()
	config.Clusters[ContextName] = &clientcmdapi.Cluster{Server: plane.Config.Host, CertificateAuthorityData: plane.Authority()}
	config.AuthInfos[controlplane.User] = &clientcmdapi.AuthInfo{Token: plane.Token()}
	config.Contexts[ContextName] = &clientcmdapi.Context{Cluster: ContextName, AuthInfo: controlplane.User, Namespace: "default"}
	config.CurrentContext = ContextName
	content, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("encode the lab's kubeconfig: %w", err)
	}
	return writeFile(path, content)
}
