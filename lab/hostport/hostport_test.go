package hostport

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestParse(t *testing.T) {
	node := netip.MustParseAddr("172.18.0.2")
	for text, want := range map[string]string{
		"30080":                "127.0.0.1:30080 172.18.0.2:30080",
		"8080:30080":           "127.0.0.1:8080 172.18.0.2:30080",
		"8080:172.18.0.200:80": "127.0.0.1:8080 172.18.0.200:80",
		"":                     `host port "": "" is not a port, 1 to 65535`,
		"0":                    `host port "0": "0" is not a port, 1 to 65535`,
		"65536":                `host port "65536": "65536" is not a port, 1 to 65535`,
		"8080:":                `host port "8080:": "" is not a port, 1 to 65535`,
		"8080:web:80":          `host port "8080:web:80": "web" is not an IPv4 address`,
		"1:2:3:4":              `host port "1:2:3:4": want NODEPORT, HOSTPORT:NODEPORT or HOSTPORT:ADDRESS:PORT`,
	} {
		m, err := Parse(text, node)
		got := fmt.Sprint(m.Listen(), " ", m.To)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestReadSaysWhatItCannotUse(t *testing.T) {
	mappings, unreadable := Read(map[string]string{"8080": "172.18.0.2:30080", "x": "172.18.0.2:1", "8081": "nowhere"})
	if want := []Mapping{{8080, netip.MustParseAddrPort("172.18.0.2:30080")}}; !reflect.DeepEqual(mappings, want) {
		t.Errorf("got %v, want %v", mappings, want)
	}
	want := []State{
		{"127.0.0.1:8081", "nowhere", `"nowhere" is not an IPv4 address and port`},
		{"x", "172.18.0.2:1", `"x" is not a port, 1 to 65535`},
	}
	if !reflect.DeepEqual(unreadable, want) {
		t.Errorf("got %v, want %v", unreadable, want)
	}
}

func TestExposeAddsToWhatThereIs(t *testing.T) {
	ctx, client := t.Context(), fake.NewClientset(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: ConfigMap}})
	to := netip.MustParseAddrPort("172.18.0.2:30080")
	if err := Expose(ctx, client, Mapping{1, to}, Mapping{2, to}); err != nil {
		t.Fatal(err)
	}
	if err := Expose(ctx, client, Mapping{2, netip.MustParseAddrPort("172.18.0.3:1")}); err != nil {
		t.Fatal(err)
	}
	got, err := client.CoreV1().ConfigMaps("kube-system").Get(ctx, ConfigMap, metav1.GetOptions{})
	if want := map[string]string{"1": "172.18.0.2:30080", "2": "172.18.0.3:1"}; err != nil || !reflect.DeepEqual(got.Data, want) {
		t.Errorf("got %v, %v, want %v", got.Data, err, want)
	}
}
