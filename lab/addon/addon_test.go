package addon

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestEnableAndDisable(t *testing.T) {
	ctx, client := context.Background(), fake.NewClientset()
	state := func() string {
		pool, ok, err := Enabled(ctx, client)
		return fmt.Sprint(pool, " ", ok, " ", err)
	}
	if got, want := state(), " false <nil>"; got != want {
		t.Errorf("at first: %s", got)
	}
	for _, pool := range []string{DefaultPool, "172.18.0.200-172.18.0.201"} {
		if err := Enable(ctx, client, pool); err != nil {
			t.Fatal(err)
		}
		if got, want := state(), pool+" true <nil>"; got != want {
			t.Errorf("enabled: got %s, want %s", got, want)
		}
	}
	if err := Enable(ctx, client, "x"); err == nil {
		t.Error("a pool that is none is taken")
	}
	account, err := client.CoreV1().ServiceAccounts("kube-system").Get(ctx, Name, metav1.GetOptions{})
	if err != nil || !reflect.DeepEqual(account.Labels, theLabels) {
		t.Errorf("ServiceAccount %+v, %v", account, err)
	}
	for _, want := range []bool{true, false} {
		if found, err := Disable(ctx, client); found != want || err != nil {
			t.Errorf("disabled: %v, %v, want %v", found, err, want)
		}
	}
	if got, want := state(), " false <nil>"; got != want {
		t.Errorf("disabled: %s", got)
	}
}
