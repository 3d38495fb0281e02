package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"svctour/cluster/convert"
	"svctour/model"
	"svctour/model/endpoints"
	"svctour/model/path"
)

// build makes a snapshot of the stores. A list that did not change is the same
// list as in the previous snapshot. As soon as one resource can be read in one
// namespace only, the snapshot holds that namespace alone: Services without
// their EndpointSlices would look broken.
func (c *Connection) build(sequence uint64, now time.Time) *model.Snapshot {
	c.mu.Lock() // before the lists: what was listed by now is in them
	cluster, statuses := c.cluster(), maps.Clone(c.statuses)
	sync := model.Sync{Synced: true, Err: c.err, Since: c.since}
	c.mu.Unlock()
	s, ns := &c.stores, cluster.Namespace
	snapshot := model.Snapshot{
		Sequence:    sequence,
		Time:        now,
		Cluster:     cluster,
		Services:    s.services.list(ns),
		Slices:      s.slices.list(ns),
		Endpoints:   s.endpoints.list(ns),
		Pods:        s.pods.list(ns),
		Nodes:       s.nodes.list(""),
		Namespaces:  s.namespaces.list(""),
		Deployments: s.deployments.list(ns),
		ReplicaSets: s.replicaSets.list(ns),
		Proxy:       proxyOf(s.proxy.list(""), s.pods.list("")),
	}
	if c.options.Diagnose {
		snapshot.Workloads = slices.Concat(s.statefulSets.list(ns), s.daemonSets.list(ns), s.jobs.list(ns))
		snapshot.Events = s.events.list(ns)
	}
	if c.options.Diagnose || c.options.Policies {
		snapshot.Policies = s.policies.list(ns)
	}
	for _, r := range s.cidrs.list("") {
		snapshot.ServiceCIDRs = append(snapshot.ServiceCIDRs, r.ranges...)
	}
	var newest uint64
	for _, r := range c.watched {
		newest = max(newest, r.sink.revision())
		st := statuses[r.name]
		switch {
		case r.name == serviceCIDRs && snapshot.Proxy.Mode != path.ModeNFTables && st.missing != "":
		case st.missing != "":
			if sync.Missing == nil {
				sync.Missing = map[string]string{}
			}
			sync.Missing[r.name] = st.missing
		case !st.listed:
			sync.Synced = false
		case st.unwatched:
			sync.Unwatched = append(sync.Unwatched, r.name)
		}
		if st.problem != "" && sync.Err == "" {
			sync.Err, sync.Since = st.problem, st.since
		}
	}
	snapshot.Sync = sync
	if newest > 0 {
		snapshot.Revision = strconv.FormatUint(newest, 10)
	}
	out := model.NewSnapshot(snapshot)
	out.DNS = dnsOf(s.dns.list(""), out)
	if read := s.corefile.list(""); len(read) > 0 && read[0].err == nil {
		out.DNS.Corefile = &read[0].value
	}
	return out
}

// proxyOf says what is known of kube-proxy.
func proxyOf(configured []*setting[model.Proxy], pods []*model.Pod) model.Proxy {
	proxy := model.DefaultProxy()
	if len(configured) > 0 {
		proxy = configured[0].value
		if err := configured[0].err; err != nil {
			proxy.Source = fmt.Sprintf("%s (%v)", proxy.Source, err)
		}
	}
	proxy.Running = slices.ContainsFunc(pods, isKubeProxy)
	return proxy
}

// isKubeProxy recognises a kube-proxy Pod: kubeadm's DaemonSet, the mirror Pods
// of GKE and AKS, and any other by its container's name.
func isKubeProxy(p *model.Pod) bool {
	if p.Namespace != "kube-system" || p.Ended() {
		return false
	}
	return p.Labels["k8s-app"] == "kube-proxy" || p.Labels["component"] == "kube-proxy" ||
		slices.ContainsFunc(p.Containers, func(c model.Container) bool { return c.Name == "kube-proxy" })
}

// dnsOf says what is known of the cluster's DNS. Where kubelets' configuration
// cannot be read, the Service that every common installer calls kube-dns tells
// the server's address; what a kubelet hands out is then assumed.
func dnsOf(configured []*setting[model.DNS], s *model.Snapshot) model.DNS {
	dns, _ := convert.DNS(nil)
	if len(configured) > 0 {
		dns = configured[0].value
		if err := configured[0].err; err != nil {
			dns.Source = fmt.Sprintf("%s (%v)", dns.Source, err)
		}
	}
	if len(dns.Servers) == 0 && dns.Evidence == model.Unknown {
		if service := s.Service("kube-system", "kube-dns"); service != nil && service.ClusterIP() != "" && !service.Headless() {
			dns.Servers = slices.Clone(service.ClusterIPs)
			dns.Source = "assumed: Service kube-system/kube-dns and the usual cluster domain"
		}
	}
	if len(dns.Servers) > 0 {
		dns.Serving = endpoints.Served(s, dns.Servers[0])
	}
	return dns
}
