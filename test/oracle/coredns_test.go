package oracle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/kubernetes"
	"github.com/coredns/coredns/plugin/kubernetes/object"
	"github.com/coredns/coredns/plugin/pkg/dnstest"
	"github.com/coredns/coredns/plugin/test"
	"github.com/coredns/coredns/request"
	miekg "github.com/miekg/dns"
	v1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"svctour/cluster/convert"
	"svctour/model"
	"svctour/model/dns"
)

// dnsCluster is what CoreDNS sees of a cluster, and how it was told to answer.
type dnsCluster struct {
	Domain     string
	Corefile   model.Corefile
	Namespaces []string
	Services   []*v1.Service
	Slices     []*discovery.EndpointSlice
	Pods       []*v1.Pod
}

func (c *dnsCluster) snapshot() *model.Snapshot {
	s := model.Snapshot{DNS: model.DNS{Domain: c.Domain, Servers: []string{"10.96.0.10"}, Serving: true, Corefile: &c.Corefile, Evidence: model.Derived}}
	for _, name := range c.Namespaces {
		s.Namespaces = append(s.Namespaces, &model.Namespace{Meta: model.Meta{Name: name}})
	}
	for _, svc := range c.Services {
		s.Services = append(s.Services, convert.Service(svc))
	}
	for _, slice := range c.Slices {
		s.Slices = append(s.Slices, convert.EndpointSlice(slice))
	}
	for _, pod := range c.Pods {
		s.Pods = append(s.Pods, convert.Pod(pod))
	}
	return model.NewSnapshot(s)
}

// plugin is CoreDNS' kubernetes plugin over the cluster. What it passes on is
// answered by upstream.
func (c *dnsCluster) plugin(t fataler) *kubernetes.Kubernetes {
	t.Helper()
	stanza := fmt.Sprintf("kubernetes %s in-addr.arpa ip6.arpa {\n pods %s\n fallthrough in-addr.arpa ip6.arpa\n ttl %d\n", c.Domain, c.Corefile.Pods, c.Corefile.TTL)
	if c.Corefile.IgnoreEmpty {
		stanza += " ignore empty_service\n"
	}
	if c.Corefile.EndpointPodNames {
		stanza += " endpoint_pod_names\n"
	}
	controller := caddy.NewTestController("dns", stanza+"}")
	if !controller.Next() {
		t.Fatal("an empty Corefile")
	}
	k, err := kubernetes.ParseStanza(controller)
	if err != nil {
		t.Fatal(err)
	}
	k.APIConn, k.Next, k.Upstream = newDNSIndex(t, c), plugin.HandlerFunc(upstream), noAnswers{}
	return k
}

// noUpstream is the code that stands for an answer from upstream.
const noUpstream = miekg.RcodeBadCookie

func upstream(_ context.Context, w miekg.ResponseWriter, r *miekg.Msg) (int, error) {
	return miekg.RcodeSuccess, w.WriteMsg(new(miekg.Msg).SetRcode(r, noUpstream))
}

// noAnswers resolves targets outside the zone to nothing.
type noAnswers struct{}

func (noAnswers) Lookup(_ context.Context, state request.Request, _ string, _ uint16) (*miekg.Msg, error) {
	return new(miekg.Msg).SetReply(state.Req), nil
}

// dnsIndex is the plugin's view of the API, with its own conversions and the
// keys of its own indexes (plugin/kubernetes/controller.go).
type dnsIndex struct {
	namespaces []string
	services   []*object.Service
	endpoints  []*object.Endpoints
	pods       []*object.Pod
}

func newDNSIndex(t fataler, c *dnsCluster) *dnsIndex {
	t.Helper()
	x := &dnsIndex{namespaces: c.Namespaces}
	for _, svc := range c.Services {
		o, err := object.ToService(svc.DeepCopy())
		if err != nil {
			t.Fatal(err)
		}
		x.services = append(x.services, o.(*object.Service))
	}
	for _, slice := range c.Slices {
		o, err := object.EndpointSliceToEndpoints(slice.DeepCopy())
		if err != nil {
			t.Fatal(err)
		}
		x.endpoints = append(x.endpoints, o.(*object.Endpoints))
	}
	for _, pod := range c.Pods {
		if pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed || pod.Status.Phase == v1.PodUnknown {
			continue // podListFunc's field selector
		}
		if o, err := object.ToPod(pod.DeepCopy()); err == nil { // an error is a terminating Pod's
			x.pods = append(x.pods, o.(*object.Pod))
		}
	}
	return x
}

func where[T any](list []T, ok func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(list), func(o T) bool { return !ok(o) })
}

func (x *dnsIndex) ServiceList() []*object.Service                   { return x.services }
func (x *dnsIndex) EndpointsList() []*object.Endpoints               { return x.endpoints }
func (x *dnsIndex) ServiceImportList() []*object.ServiceImport       { return nil }
func (x *dnsIndex) SvcImportIndex(string) []*object.ServiceImport    { return nil }
func (x *dnsIndex) McEpIndex(string) []*object.MultiClusterEndpoints { return nil }
func (x *dnsIndex) SvcExtIndexReverse(string) []*object.Service      { return nil }
func (x *dnsIndex) GetNodeByName(context.Context, string) (*v1.Node, error) {
	return nil, errors.New("no Nodes")
}
func (x *dnsIndex) Run()                                   {}
func (x *dnsIndex) HasSynced() bool                        { return true }
func (x *dnsIndex) Stop() error                            { return nil }
func (x *dnsIndex) Modified(kubernetes.ModifiedMode) int64 { return 1 }

func (x *dnsIndex) SvcIndex(key string) []*object.Service {
	return where(x.services, func(o *object.Service) bool { return o.Index == key })
}

func (x *dnsIndex) SvcIndexReverse(ip string) []*object.Service {
	return where(x.services, func(o *object.Service) bool { return slices.Contains(o.ClusterIPs, ip) })
}

func (x *dnsIndex) PodIndex(ip string) []*object.Pod {
	return where(x.pods, func(o *object.Pod) bool { return slices.Contains(o.PodIPs, ip) })
}

func (x *dnsIndex) EpIndex(key string) []*object.Endpoints {
	return where(x.endpoints, func(o *object.Endpoints) bool { return o.Index == key })
}

func (x *dnsIndex) EpIndexReverse(ip string) []*object.Endpoints {
	return where(x.endpoints, func(o *object.Endpoints) bool { return slices.Contains(o.IndexIP, ip) })
}

func (x *dnsIndex) GetNamespaceByName(name string) (*object.Namespace, error) {
	if slices.Contains(x.namespaces, name) {
		return &object.Namespace{Name: name}, nil
	}
	return nil, fmt.Errorf("namespace %q not found", name)
}

// askPlugin asks one question; the reply is in the words of askModel.
func askPlugin(t fataler, k *kubernetes.Kubernetes, name, kind string) string {
	t.Helper()
	number, ok := miekg.StringToType[kind]
	if !ok {
		t.Fatalf("no record type %q", kind)
	}
	w := dnstest.NewRecorder(&test.ResponseWriter{})
	code, err := k.ServeDNS(context.Background(), w, new(miekg.Msg).SetQuestion(name, number))
	if err != nil || w.Msg == nil {
		return fmt.Sprintf("error %d %v", code, err)
	}
	if w.Msg.Rcode == noUpstream {
		return "upstream"
	}
	if len(w.Msg.Answer) == 0 && (len(w.Msg.Ns) != 1 || w.Msg.Ns[0].Header().Rrtype != miekg.TypeSOA) {
		return "no answer and no SOA" // RFC 2308
	}
	var records []dns.Record
	for _, rr := range w.Msg.Answer {
		h := rr.Header()
		records = append(records, dns.Record{
			Name: h.Name, Type: miekg.TypeToString[h.Rrtype], TTL: h.Ttl, Data: strings.TrimPrefix(rr.String(), h.String()),
		})
	}
	return inWords(miekg.RcodeToString[w.Msg.Rcode], records)
}

func askModel(s *model.Snapshot, name, kind string) string {
	reply := dns.Answer(s, name, kind)
	if reply.Upstream {
		return "upstream"
	}
	return inWords(reply.Rcode, reply.Answers)
}

// inWords sorts the records, which CoreDNS shuffles, and folds the case that
// it copies from the question.
func inWords(rcode string, records []dns.Record) string {
	lines := make([]string, 0, len(records))
	for _, r := range records {
		lines = append(lines, strings.ToLower(fmt.Sprintf("%s %d %s %s", r.Name, r.TTL, r.Type, r.Data)))
	}
	slices.Sort(lines)
	return strings.Join(append([]string{rcode}, lines...), "\n  ")
}

func objectMeta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

// fataler is what *testing.T and *rapid.T have in common here.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}
