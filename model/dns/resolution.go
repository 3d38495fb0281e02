// Package dns predicts what a Pod's look-up of a name does: the queries its
// resolver sends, in order, and what CoreDNS' kubernetes plugin answers.
package dns

import "svctour/model"

// Resolution is the ordered queries of one look-up, as JSON kind "Resolution"
// of svctour/v1alpha1.
type Resolution struct {
	From       string     `json:"from"` // "pod/NAMESPACE/NAME", or "namespace/NAME" for a Pod that is assumed there
	Name       string     `json:"name"` // as asked
	Libc       Libc       `json:"libc"` // whose search algorithm this is: chosen, not observed
	ResolvConf ResolvConf `json:"resolvConf"`
	Queries    []Query    `json:"queries"`
	Answers    []Record   `json:"answers"` // what the application gets; empty when the look-up fails
	// End is how the look-up ends: NOERROR; NXDOMAIN or NODATA, which an
	// application both calls an unknown name; SERVFAIL for "try again"; "" when an
	// answer decides that cannot be predicted.
	End Outcome `json:"end,omitempty"`
	// Aliases are the ExternalName Services that the name leads over, in order.
	Aliases []Alias  `json:"aliases,omitempty"`
	Notes   []string `json:"notes,omitempty"`
}

// ResolvConf is the Pod's /etc/resolv.conf (resolv.conf(5)).
type ResolvConf struct {
	Nameservers []string       `json:"nameservers"`
	Search      []string       `json:"search"`
	Options     []string       `json:"options"` // "ndots:5"
	Evidence    model.Evidence `json:"evidence"`
}

// Query is one question and its answer.
type Query struct {
	Name     string         `json:"name"` // fully qualified, with the final dot
	Type     string         `json:"type"` // A, AAAA, or the type that was asked for
	Server   string         `json:"server"`
	Rcode    string         `json:"rcode"` // NOERROR, NXDOMAIN, SERVFAIL, "timeout"; "" when unknown
	Answers  []Record       `json:"answers"`
	Evidence model.Evidence `json:"evidence"`
	Why      string         `json:"why"` // why this name is asked for
}

// Record is one resource record.
type Record struct {
	Name string `json:"name"`
	Type string `json:"type"`
	TTL  uint32 `json:"ttl"` // seconds
	Data string `json:"data"`
}
