// Package meter counts a stream of requests that a Pod sends to a Service: who
// answered and how fast, what failed and why. A Sample is one request, as the
// client's own program told it; a World is what the cluster's objects say at one
// moment; a Tally is the sum of all of it. All of them are values.
package meter
