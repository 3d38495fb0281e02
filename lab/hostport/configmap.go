package hostport

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
)

// ConfigMap, in kube-system, is where the lab's host ports are kept while it
// runs: a key is a port of this machine, its value the address and port inside
// the lab.
const ConfigMap = "svctour-host-ports"

// Read is what the ConfigMap's data says, and what of it cannot be used: a
// person may have edited it.
func Read(data map[string]string) (mappings []Mapping, unreadable []State) {
	for from, to := range data {
		number, err := parsePort(from)
		if err != nil {
			unreadable = append(unreadable, State{Listen: from, To: to, Problem: err.Error()})
			continue
		}
		address, err := netip.ParseAddrPort(to)
		if err != nil || !address.Addr().Is4() || address.Port() == 0 {
			unreadable = append(unreadable, State{
				Listen: Mapping{Port: number}.Listen().String(), To: to, Problem: fmt.Sprintf("%q is not an IPv4 address and port", to),
			})
			continue
		}
		mappings = append(mappings, Mapping{number, address})
	}
	slices.SortFunc(unreadable, func(a, b State) int { return strings.Compare(a.Listen, b.Listen) })
	return mappings, unreadable
}

// Expose asks the lab for host ports, in place of those that have the same
// port. Whether the lab could open them is in its status.
func Expose(ctx context.Context, client kubernetes.Interface, mappings ...Mapping) error {
	maps := client.CoreV1().ConfigMaps(metav1.NamespaceSystem)
	err := retry.OnError(retry.DefaultRetry, func(err error) bool {
		return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err)
	}, func() error {
		current, err := maps.Get(ctx, ConfigMap, metav1.GetOptions{})
		missing := apierrors.IsNotFound(err)
		if err != nil && !missing {
			return err
		}
		if missing {
			current = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
				Name: ConfigMap, Labels: map[string]string{"app.kubernetes.io/managed-by": "svctour"},
			}}
		}
		if current.Data == nil {
			current.Data = map[string]string{}
		}
		for _, m := range mappings {
			current.Data[key(m.Port)] = m.To.String()
		}
		if missing {
			_, err = maps.Create(ctx, current, metav1.CreateOptions{})
		} else {
			_, err = maps.Update(ctx, current, metav1.UpdateOptions{})
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("write the ConfigMap %s: %w", ConfigMap, err)
	}
	return nil
}

// Unexpose gives a port back and says whether the lab had it.
func Unexpose(ctx context.Context, client kubernetes.Interface, port uint16) (bool, error) {
	maps, had := client.CoreV1().ConfigMaps(metav1.NamespaceSystem), false
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		current, err := maps.Get(ctx, ConfigMap, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, had = current.Data[key(port)]; !had {
			return nil
		}
		delete(current.Data, key(port))
		_, err = maps.Update(ctx, current, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return false, fmt.Errorf("write the ConfigMap %s: %w", ConfigMap, err)
	}
	return had, nil
}

func key(port uint16) string { return strconv.Itoa(int(port)) }
