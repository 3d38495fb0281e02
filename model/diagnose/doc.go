// Package diagnose says why a Service does not work: it walks the lane that a
// client's connection takes, from the client's Pod to the backend's port, and
// names the first place where it breaks, with evidence and a fix.
//
// Every rule is one file with one value in the list Rules. What the API
// objects cannot show is said to be unchecked, with how to check it.
package diagnose
