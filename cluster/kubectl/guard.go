package kubectl

import (
	"fmt"
	"slices"
	"strings"
)

// The guard stands before the embedded kubectl. It knows every verb and flag
// it lets through and refuses the rest, so that a command typed in svctour's
// prompt reads anything of this one cluster but writes only into namespaces
// that svctour made. It reads flags exactly as pflag does, because what it
// takes for a flag's value kubectl must not take for a flag.

// command is a kubectl command line that the guard lets through.
type command struct {
	writes    bool
	namespace string // of -n; "" when not given
	all       bool   // -A
	manifest  bool   // -f -: objects come on stdin
	terminal  bool   // it needs a terminal
}

// refusal is why a command is not run; it is shown to the person.
type refusal string

func (r refusal) Error() string { return string(r) }

func refuse(format string, args ...any) error { return refusal(fmt.Sprintf(format, args...)) }

// verb says what the guard knows of one kubectl command.
type verb struct {
	writes bool
	flags  map[string]bool // by name, "--output" and "-o"; true when it takes a value
	args   func(positional []string, manifest bool) error
	dash   bool // a command may follow "--"
	// terminal commands need a terminal of their own.
	terminal bool
}

// flagNames parses a list like "output,o= watch,w": names and one-letter
// shorthands, "=" for a flag whose value may be the next argument.
func flagNames(lists ...string) map[string]bool {
	known := map[string]bool{"--namespace": true, "-n": true, "--help": false, "-h": false, "--request-timeout": true}
	for _, word := range strings.Fields(strings.Join(lists, " ")) {
		name, takes := strings.CutSuffix(word, "=")
		long, short, _ := strings.Cut(name, ",")
		known["--"+long] = takes
		if short != "" {
			known["-"+short] = takes
		}
	}
	return known
}

// Flags that several verbs share. --dry-run, --cascade and --validate may stand
// alone (pflag NoOptDefVal), so they never take the next argument.
const (
	pickFlags  = "selector,l= field-selector= all-namespaces,A filename,f= chunk-size= "
	printFlags = "output,o= template= show-managed-fields no-headers sort-by= "
	writeFlags = "output,o= template= show-managed-fields dry-run field-manager= "
)

// verbs is the allow-list. Two-word commands are listed by both words.
var verbs = map[string]verb{
	"get": {flags: flagNames(pickFlags, printFlags,
		"watch,w watch-only show-labels label-columns,L= ignore-not-found show-kind subresource= output-watch-events server-print")},
	"describe": {flags: flagNames(pickFlags, "show-events")},
	"logs": {flags: flagNames("selector,l= follow,f previous,p container,c= all-containers all-pods tail= since= since-time= " +
		"timestamps prefix limit-bytes= max-log-requests= ignore-errors pod-running-timeout=")},
	"explain":         {flags: flagNames("recursive api-version= output,o=")},
	"api-resources":   {flags: flagNames(printFlags, "namespaced verbs= api-group= categories=")},
	"api-versions":    {flags: flagNames()},
	"version":         {flags: flagNames("client output,o=")},
	"cluster-info":    {flags: flagNames(), args: noArgs},
	"events":          {flags: flagNames(printFlags, "all-namespaces,A for= watch,w types=")},
	"top pod":         {flags: flagNames(pickFlags, "containers no-headers sort-by= sum use-protocol-buffers")},
	"top pods":        {flags: flagNames(pickFlags, "containers no-headers sort-by= sum use-protocol-buffers")},
	"top node":        {flags: flagNames("selector,l= no-headers sort-by= show-capacity use-protocol-buffers")},
	"top nodes":       {flags: flagNames("selector,l= no-headers sort-by= show-capacity use-protocol-buffers")},
	"auth can-i":      {flags: flagNames("all-namespaces,A list quiet,q no-headers subresource=")},
	"auth whoami":     {flags: flagNames("output,o=")},
	"rollout status":  {flags: flagNames("watch,w timeout= revision= selector,l= filename,f=")},
	"rollout history": {flags: flagNames("revision= selector,l= output,o= filename,f=")},
	"wait":            {flags: flagNames(pickFlags, "for= timeout= all output,o=")},

	"apply": {writes: true, args: onlyManifest, flags: flagNames(writeFlags,
		"filename,f= server-side force-conflicts overwrite validate wait timeout= cascade force grace-period=")},
	"replace": {writes: true, args: onlyManifest, flags: flagNames(writeFlags, "filename,f= validate cascade force grace-period= timeout= wait")},
	"create":  {writes: true, args: onlyManifest, flags: flagNames(writeFlags, "filename,f= validate save-config")},
	"create deployment": {writes: true, dash: true, args: anyArgs,
		flags: flagNames(writeFlags, "image= replicas,r= port= validate")},
	"create service":   {writes: true, args: anyArgs, flags: flagNames(writeFlags, "tcp= node-port= clusterip= external-name= validate")},
	"create configmap": {writes: true, args: anyArgs, flags: flagNames(writeFlags, "from-literal= validate append-hash")},
	"create secret":    {writes: true, args: anyArgs, flags: flagNames(writeFlags, "from-literal= type= validate append-hash")},
	"create job":       {writes: true, dash: true, args: anyArgs, flags: flagNames(writeFlags, "image= validate")},
	"delete": {writes: true, args: objects, flags: flagNames(
		"filename,f= selector,l= field-selector= all wait now force grace-period= cascade ignore-not-found timeout= output,o= dry-run")},
	"scale":           {writes: true, args: objects, flags: flagNames(writeFlags, "replicas= current-replicas= resource-version= timeout= selector,l= all filename,f=")},
	"rollout restart": {writes: true, args: objects, flags: flagNames(writeFlags, "selector,l= filename,f=")},
	"rollout undo":    {writes: true, args: objects, flags: flagNames(writeFlags, "to-revision= selector,l= filename,f=")},
	"rollout pause":   {writes: true, args: objects, flags: flagNames(writeFlags, "selector,l= filename,f=")},
	"rollout resume":  {writes: true, args: objects, flags: flagNames(writeFlags, "selector,l= filename,f=")},
	"expose": {writes: true, args: objects, flags: flagNames(writeFlags,
		"port= target-port= name= type= protocol= selector= labels,l= cluster-ip= external-ip= load-balancer-ip= session-affinity= filename,f=")},
	"run": {writes: true, dash: true, args: anyArgs, flags: flagNames(writeFlags,
		"image= image-pull-policy= port= labels,l= env= restart= annotations= command expose rm attach stdin,i quiet,q pod-running-timeout= wait timeout= grace-period= force")},
	"exec":          {writes: true, dash: true, args: oneObject, flags: flagNames("container,c= stdin,i quiet,q pod-running-timeout=")},
	"attach":        {writes: true, terminal: true, args: oneObject, flags: flagNames("container,c= stdin,i quiet,q pod-running-timeout=")},
	"edit":          {writes: true, terminal: true, args: oneObjectOfKind, flags: flagNames("output,o= field-manager= save-config show-managed-fields validate windows-line-endings")},
	"port-forward":  {writes: true, terminal: true, args: objectAndPorts, flags: flagNames("pod-running-timeout=")},
	"label":         {writes: true, args: objectsAndPairs, flags: flagNames(writeFlags, "overwrite resource-version= selector,l= field-selector= all list filename,f=")},
	"annotate":      {writes: true, args: objectsAndPairs, flags: flagNames(writeFlags, "overwrite resource-version= selector,l= field-selector= all list filename,f=")},
	"patch":         {writes: true, args: objects, flags: flagNames(writeFlags, "patch,p= type= subresource= filename,f=")},
	"set image":     {writes: true, args: objectsAndPairs, flags: flagNames(writeFlags, "selector,l= all filename,f=")},
	"set env":       {writes: true, args: objectsAndPairs, flags: flagNames(writeFlags, "selector,l= all env,e= containers,c= overwrite list filename,f=")},
	"set selector":  {writes: true, args: objectsAndPairs, flags: flagNames(writeFlags, "all resource-version= filename,f=")},
	"set resources": {writes: true, args: objects, flags: flagNames(writeFlags, "selector,l= all containers,c= limits= requests= filename,f=")},
}

// createAliases are kubectl's other names for what "create" makes.
var createAliases = map[string]string{"deploy": "deployment", "svc": "service", "cm": "configmap"}

// otherCluster are the flags that would act on another cluster, as another
// user, or past the objects: they get an explanation of their own.
var otherCluster = []string{
	"--kubeconfig", "--context", "--cluster", "--user", "--server", "-s", "--token", "--username", "--password",
	"--client-certificate", "--client-key", "--certificate-authority", "--insecure-skip-tls-verify",
	"--tls-server-name", "--as", "--as-uid", "--as-group", "--as-user-extra", "--raw",
}

// inspect decides whether args, without a leading "kubectl", may be run. Its
// error is a refusal.
func inspect(args []string) (command, error) { return inspectFor(args, false) }

// inspectFor is inspect for a command that may have a terminal.
func inspectFor(args []string, terminal bool) (command, error) {
	if len(args) == 0 {
		return command{}, refuse("type a kubectl command, for example %q", "get pods")
	}
	name, rest := args[0], args[1:]
	if strings.HasPrefix(name, "-") {
		return command{}, refuse("put the command first and flags such as %q after it", name)
	}
	known, ok := verbs[name]
	if len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		second := rest[0]
		if alias, is := createAliases[second]; is && name == "create" {
			second = alias
		}
		if v, two := verbs[name+" "+second]; two {
			name, known, ok, rest = name+" "+second, v, true, rest[1:]
		}
	}
	if !ok {
		return command{}, refuse("svctour does not run %q here: use a terminal of your own for it", "kubectl "+name)
	}
	p := parser{verb: name, flags: known.flags, terminal: terminal}
	if err := p.parse(rest); err != nil {
		return command{}, err
	}
	if p.dash && !known.dash {
		return command{}, refuse("%q takes no \"--\"", "kubectl "+name)
	}
	if known.terminal && !terminal {
		return command{}, refuse("there is no terminal for %q here: use a terminal of your own for it", "kubectl "+name)
	}
	c := command{writes: known.writes, terminal: known.terminal}
	for flag, values := range p.values {
		if len(values) > 1 && (flag == "--namespace" || flag == "--filename") {
			return command{}, refuse("%s is given %d times; give it once", flag, len(values))
		}
		switch value := values[0]; {
		case flag == "--namespace" && value == "":
			return command{}, refuse("--namespace is empty")
		case flag == "--namespace":
			c.namespace = value
		case flag == "--filename" && value != "-":
			return command{}, refuse("here --filename can only be %q: svctour hands the manifest over itself", "-")
		case flag == "--filename":
			c.manifest = true
		case flag == "--all-namespaces":
			c.all = value != "false"
		}
	}
	if known.args != nil {
		if err := known.args(p.positional, c.manifest); err != nil {
			return command{}, err
		}
	}
	return c, nil
}

// longNames give the long form of the shorthands that inspect looks at.
var longNames = map[string]string{"-n": "--namespace", "-A": "--all-namespaces"}

// parser reads a command line as pflag does.
type parser struct {
	verb  string
	flags map[string]bool

	positional []string
	terminal   bool                // --tty is allowed
	values     map[string][]string // by long name where longNames knows it
	dash       bool                // "--" was there; what follows is not ours to read
}

func (p *parser) parse(args []string) error {
	p.values = map[string][]string{}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		var err error
		switch {
		case arg == "--":
			p.dash = true
			return nil
		case strings.HasPrefix(arg, "--"):
			args, err = p.long(arg, args)
		case strings.HasPrefix(arg, "-") && arg != "-":
			args, err = p.short(arg[1:], args)
		default:
			p.positional = append(p.positional, arg)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// long reads --name, --name=value or --name value.
func (p *parser) long(arg string, args []string) ([]string, error) {
	name, value, has := strings.Cut(arg, "=")
	takes, err := p.known(name)
	if err != nil {
		return nil, err
	}
	if takes && !has {
		if len(args) == 0 {
			return nil, refuse("flag %s needs a value", name)
		}
		value, args = args[0], args[1:]
	}
	p.add(name, value)
	return args, nil
}

// short reads a group of one-letter flags: -Aw, -nweb, -n=web, -n web.
func (p *parser) short(group string, args []string) ([]string, error) {
	for group != "" {
		name := "-" + group[:1]
		takes, err := p.known(name)
		if err != nil {
			return nil, err
		}
		group = group[1:]
		switch {
		case strings.HasPrefix(group, "="):
			if len(group) == 1 {
				return nil, refuse("flag %s needs a value", name)
			}
			p.add(name, group[1:])
			return args, nil
		case !takes:
			p.add(name, "")
		case group != "":
			p.add(name, group)
			return args, nil
		case len(args) == 0:
			return nil, refuse("flag %s needs a value", name)
		default:
			p.add(name, args[0])
			return args[1:], nil
		}
	}
	return args, nil
}

func (p *parser) known(name string) (takesValue bool, err error) {
	takes, ok := p.flags[name]
	_, dash := p.flags["--stdin"] // exec, attach, run
	switch {
	case p.terminal && dash && (name == "-t" || name == "--tty"):
		return false, nil
	case ok:
		return takes, nil
	case slices.Contains(otherCluster, name):
		return false, refuse("flag %s is not for here: the commands act on the cluster that is shown, as you", name)
	case name == "-A" || name == "--all-namespaces":
		return false, refuse("%q writes; it cannot be done in all namespaces at once", "kubectl "+p.verb)
	case name == "-t" || name == "--tty":
		return false, refuse("there is no terminal for %q here; leave %s out", "kubectl "+p.verb, name)
	}
	return false, refuse("svctour does not know flag %q of %q: use a terminal of your own for it", name, "kubectl "+p.verb)
}

func (p *parser) add(name, value string) {
	if long, ok := longNames[name]; ok {
		name = long
	}
	if name == "-f" && p.flags["-f"] { // of logs it means follow
		name = "--filename"
	}
	p.values[name] = append(p.values[name], value)
}

// kinds are the namespaced kinds that may be written, under every name kubectl
// gives them, with the API versions a manifest may use.
var kinds = []struct {
	kind    string
	version string
	names   []string
}{
	{"Deployment", "apps/v1", []string{"deployment", "deployments", "deploy", "deployment.apps", "deployments.apps"}},
	{"ReplicaSet", "apps/v1", []string{"replicaset", "replicasets", "rs", "replicaset.apps", "replicasets.apps"}},
	{"StatefulSet", "apps/v1", []string{"statefulset", "statefulsets", "sts", "statefulset.apps", "statefulsets.apps"}},
	{"DaemonSet", "apps/v1", []string{"daemonset", "daemonsets", "ds", "daemonset.apps", "daemonsets.apps"}},
	{"Pod", "v1", []string{"pod", "pods", "po"}},
	{"Service", "v1", []string{"service", "services", "svc"}},
	{"ConfigMap", "v1", []string{"configmap", "configmaps", "cm"}},
	{"Secret", "v1", []string{"secret", "secrets"}},
	{"Endpoints", "v1", []string{"endpoints", "ep"}},
	{"EndpointSlice", "discovery.k8s.io/v1", []string{"endpointslice", "endpointslices", "endpointslice.discovery.k8s.io", "endpointslices.discovery.k8s.io"}},
	{"Job", "batch/v1", []string{"job", "jobs", "job.batch", "jobs.batch"}},
	{"NetworkPolicy", "networking.k8s.io/v1", []string{"networkpolicy", "networkpolicies", "netpol", "networkpolicy.networking.k8s.io", "networkpolicies.networking.k8s.io"}},
}

// writable says whether objects of the kind that kubectl calls name may be
// written. "all" is none: anybody's kinds may belong to that category, also such
// as live in no namespace, which kubectl then writes in the whole cluster
// (k8s.io/cli-runtime/pkg/resource Builder.visitBySelector).
func writable(name string) error {
	name = strings.ToLower(name)
	if name == "all" {
		return refuse("\"all\" may hold objects that live in no namespace: name the kinds, for example %q", "pods,services,deployments")
	}
	for _, k := range kinds {
		if slices.Contains(k.names, name) {
			return nil
		}
	}
	return refuse("svctour does not change %q: it writes only objects that live in its own namespaces", name)
}

func noArgs(positional []string, _ bool) error {
	if len(positional) > 0 {
		return refuse("unexpected argument %q", positional[0])
	}
	return nil
}

func anyArgs([]string, bool) error { return nil }

// onlyManifest: the objects come on stdin and nowhere else.
func onlyManifest(positional []string, manifest bool) error {
	if len(positional) > 0 {
		return refuse("svctour does not run this with %q", positional[0])
	}
	if !manifest {
		return refuse("say what to write with \"-f -\" and a manifest")
	}
	return nil
}

// objects: TYPE[,TYPE…] [NAME…], or TYPE/NAME… (k8s.io/cli-runtime/pkg/resource
// Builder.ResourceTypeOrNameArgs).
func objects(positional []string, manifest bool) error {
	if len(positional) == 0 {
		if manifest {
			return nil
		}
		return refuse("say which object, for example %q", "deployment/web")
	}
	if !slices.ContainsFunc(positional, func(arg string) bool { return strings.Contains(arg, "/") }) {
		for name := range strings.SplitSeq(positional[0], ",") {
			if err := writable(name); err != nil {
				return err
			}
		}
		return nil
	}
	for _, arg := range positional {
		kind, name, ok := strings.Cut(arg, "/")
		if !ok || name == "" || strings.Contains(name, "/") {
			return refuse("%q is not TYPE/NAME", arg)
		}
		if err := writable(kind); err != nil {
			return err
		}
	}
	return nil
}

// objectsAndPairs: objects, then KEY=VALUE or KEY- (kubectl's
// util.GetResourcesAndPairs).
func objectsAndPairs(positional []string, manifest bool) error {
	first := slices.IndexFunc(positional, func(arg string) bool {
		return strings.Contains(arg, "=") && arg[0] != '=' || strings.HasSuffix(arg, "-") && arg != "-"
	})
	if first >= 0 {
		positional = positional[:first]
	}
	return objects(positional, manifest)
}

// oneObjectOfKind: TYPE/NAME or TYPE NAME.
func oneObjectOfKind(positional []string, manifest bool) error {
	if manifest || len(positional) == 0 || len(positional) > 2 {
		return refuse("say which object, for example %q", "service/web")
	}
	return objects(positional, false)
}

// objectAndPorts: a Pod's NAME or TYPE/NAME, then ports.
func objectAndPorts(positional []string, _ bool) error {
	if len(positional) < 2 {
		return refuse("say what and which ports, for example %q", "port-forward service/web 8080:80")
	}
	return oneObject(positional[:1], false)
}

// oneObject: NAME (of a Pod) or TYPE/NAME.
func oneObject(positional []string, _ bool) error {
	switch {
	case len(positional) != 1:
		return refuse("say which Pod, then \"--\" and the command, for example %q", "exec web -- hostname")
	case strings.Contains(positional[0], "/"):
		return objects(positional, false)
	}
	return nil
}
