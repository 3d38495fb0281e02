package child

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"svctour/lab"
	"svctour/lab/child/controlplane"
	"svctour/lab/folder"
)

// writeKubeconfig writes the way into the lab, readable by this user only.
func writeKubeconfig(path string, plane *controlplane.ControlPlane) error {
	config := clientcmdapi.NewConfig()
	config.Clusters[lab.ContextName] = &clientcmdapi.Cluster{Server: plane.Config.Host, CertificateAuthorityData: plane.Authority()}
	config.AuthInfos[controlplane.User] = &clientcmdapi.AuthInfo{Token: plane.Token()}
	config.Contexts[lab.ContextName] = &clientcmdapi.Context{Cluster: lab.ContextName, AuthInfo: controlplane.User, Namespace: "default"}
	config.CurrentContext = lab.ContextName
	content, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("encode the lab's kubeconfig: %w", err)
	}
	return folder.WriteFile(path, content)
}
