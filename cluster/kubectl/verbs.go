package kubectl

import "strings"

// verb says what the guard knows of one kubectl command that it lets through.
type verb struct {
	writes bool
	flags  map[string]bool // that may be given, by name, "--output" and "-o"; true when one takes a value
	args   func(positional []string, manifest bool) error
	dash   bool // a command may follow "--"
	// terminal commands need a terminal of their own.
	terminal bool
}

// harm is what a command or a flag of kubectl's does beyond reading this cluster
// and writing into one namespace, as the end of a sentence about it.
type harm string

const (
	localFile    harm = "reads or writes files of this machine"
	runsProgram  harm = "runs a program on this machine"
	opensPort    harm = "opens a port of this machine"
	leaves       harm = "leaves the namespace"
	otherCluster harm = "leads to another cluster, or acts as another user"
	ownLog       harm = "changes what kubectl logs of itself"
	asksPerson   harm = "asks on a terminal"
	notTaught    harm = "is not of use here"
)

// harmful are flags of the commands in verbs. Each is refused unless its command
// lists it; the guard checks the value of some that are listed (see inspect).
var harmful = map[harm]string{
	localFile: "filename,f kustomize,k recursive,R patch-file from-file from-env-file cache-dir kuberc profile profile-output " +
		"certificate-authority client-certificate client-key kubeconfig",
	runsProgram: "edit",
	opensPort:   "address",
	leaves:      "all-namespaces,A raw prune prune-allowlist overrides override-type privileged",
	otherCluster: "context cluster user server,s token username password insecure-skip-tls-verify insecure-skip-tls-verify-backend " +
		"tls-server-name proxy-url as as-uid as-group as-user-extra",
	ownLog:     "v,v vmodule log-flush-frequency",
	asksPerson: "tty,t interactive,i",
}

// harms is harmful by name, "--output" and "-o".
var harms = func() map[string]harm {
	out := map[string]harm{}
	for harm, list := range harmful {
		for name := range flagNames(list) {
			out[name] = harm
		}
	}
	return out
}()

// flagNames parses lists like "output,o= watch,w": names and one-letter
// shorthands, "=" for a flag whose value may be the next argument. Others may
// stand alone (pflag NoOptDefVal), so they never take the next argument.
func flagNames(lists ...string) map[string]bool {
	known := map[string]bool{}
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

// flagsOf are a command's own flags, and those that all commands have.
func flagsOf(lists ...string) map[string]bool {
	return flagNames(append(lists, " namespace,n= help,h request-timeout= disable-compression match-server-version warnings-as-errors")...)
}

// Flags that several verbs share.
const (
	printFlags = "output,o= template= show-managed-fields allow-missing-template-keys "
	writeFlags = printFlags + "dry-run field-manager= "
	pickFlags  = "selector,l= field-selector= all-namespaces,A "
	fileFlag   = "filename,f= "
)

// verbs is the allow-list. Commands of several words are listed by all of them,
// and by their aliases.
var verbs = aliased(map[string]verb{
	"get": {flags: flagsOf(pickFlags, fileFlag, printFlags,
		"chunk-size= no-headers sort-by= watch,w watch-only show-labels label-columns,L= ignore-not-found show-kind subresource= output-watch-events server-print")},
	"describe": {flags: flagsOf("selector,l= all-namespaces,A chunk-size= show-events ", fileFlag)},
	"logs": {flags: flagsOf("selector,l= follow,f previous,p container,c= all-containers all-pods tail= since= since-time= " +
		"timestamps prefix limit-bytes= max-log-requests= ignore-errors pod-running-timeout=")},
	"explain":         {flags: flagsOf("recursive,R api-version= max-depth= output,o=")},
	"api-resources":   {flags: flagsOf("output,o= show-managed-fields no-headers sort-by= namespaced verbs= api-group= categories= cached")},
	"api-versions":    {flags: flagsOf()},
	"version":         {flags: flagsOf("client output,o=")},
	"cluster-info":    {flags: flagsOf(), args: noArgs},
	"events":          {flags: flagsOf(printFlags, "all-namespaces,A for= watch,w types= no-headers chunk-size=")},
	"top pod":         {flags: flagsOf(pickFlags, "containers no-headers sort-by= sum use-protocol-buffers show-swap")},
	"top node":        {flags: flagsOf("selector,l= no-headers sort-by= show-capacity use-protocol-buffers show-swap")},
	"auth can-i":      {flags: flagsOf("all-namespaces,A list quiet,q no-headers subresource=")},
	"auth whoami":     {flags: flagsOf(printFlags)},
	"rollout status":  {flags: flagsOf(fileFlag, "watch,w timeout= revision= selector,l=")},
	"rollout history": {flags: flagsOf(fileFlag, printFlags, "revision= selector,l=")},
	"wait":            {flags: flagsOf(pickFlags, fileFlag, printFlags, "for= timeout= all local")},

	"apply": {writes: true, args: onlyManifest, flags: flagsOf(fileFlag, writeFlags,
		"server-side force-conflicts overwrite validate wait timeout= cascade force grace-period= all selector,l= openapi-patch record subresource=")},
	"replace": {writes: true, args: onlyManifest, flags: flagsOf(fileFlag, writeFlags,
		"validate cascade force grace-period= timeout= wait save-config subresource=")},
	"create":                      {writes: true, args: onlyManifest, flags: flagsOf(fileFlag, writeFlags, "validate save-config selector,l= record windows-line-endings")},
	"create deployment":           {writes: true, dash: true, args: anyArgs, flags: flagsOf(writeFlags, "image= replicas,r= port= validate save-config")},
	"create service clusterip":    {writes: true, args: anyArgs, flags: flagsOf(writeFlags, "tcp= clusterip= validate save-config")},
	"create service nodeport":     {writes: true, args: anyArgs, flags: flagsOf(writeFlags, "tcp= node-port= validate save-config")},
	"create service loadbalancer": {writes: true, args: anyArgs, flags: flagsOf(writeFlags, "tcp= validate save-config")},
	"create service externalname": {writes: true, args: anyArgs, flags: flagsOf(writeFlags, "tcp= external-name= validate save-config")},
	"create configmap":            {writes: true, args: anyArgs, flags: flagsOf(writeFlags, "from-literal= validate save-config append-hash")},
	"create secret generic":       {writes: true, args: anyArgs, flags: flagsOf(writeFlags, "from-literal= type= validate save-config append-hash")},
	"create job":                  {writes: true, dash: true, args: anyArgs, flags: flagsOf(writeFlags, "image= from= validate save-config")},
	"delete": {writes: true, args: objects, flags: flagsOf(fileFlag,
		"selector,l= field-selector= all wait now force grace-period= cascade ignore-not-found timeout= output,o= dry-run")},
	"scale": {writes: true, args: objects, flags: flagsOf(fileFlag, printFlags,
		"dry-run replicas= current-replicas= resource-version= timeout= selector,l= all record")},
	"rollout restart": {writes: true, args: objects, flags: flagsOf(fileFlag, printFlags, "field-manager= selector,l=")},
	"rollout undo":    {writes: true, args: objects, flags: flagsOf(fileFlag, printFlags, "dry-run to-revision= selector,l=")},
	"rollout pause":   {writes: true, args: objects, flags: flagsOf(fileFlag, printFlags, "field-manager= selector,l=")},
	"rollout resume":  {writes: true, args: objects, flags: flagsOf(fileFlag, printFlags, "field-manager= selector,l=")},
	"expose": {writes: true, args: objects, flags: flagsOf(fileFlag, writeFlags, "port= target-port= name= type= protocol= selector= labels,l= "+
		"cluster-ip= external-ip= load-balancer-ip= session-affinity= save-config record")},
	"run": {writes: true, dash: true, args: anyArgs, flags: flagsOf(writeFlags, "image= image-pull-policy= port= labels,l= env= restart= annotations= "+
		"command expose rm attach stdin,i quiet,q pod-running-timeout= wait timeout= grace-period= force cascade detach-keys= leave-stdin-open record save-config")},
	"exec":   {writes: true, dash: true, args: oneObject, flags: flagsOf("container,c= stdin,i quiet,q pod-running-timeout=")},
	"attach": {writes: true, terminal: true, args: oneObject, flags: flagsOf("container,c= stdin,i quiet,q pod-running-timeout= detach-keys=")},
	"edit": {writes: true, terminal: true, args: oneObjectOfKind, flags: flagsOf(printFlags,
		"field-manager= save-config validate windows-line-endings output-patch record subresource=")},
	"port-forward":  {writes: true, terminal: true, args: objectAndPorts, flags: flagsOf("pod-running-timeout=")},
	"label":         {writes: true, args: objectsAndPairs, flags: flagsOf(fileFlag, writeFlags, labelFlags)},
	"annotate":      {writes: true, args: objectsAndPairs, flags: flagsOf(fileFlag, writeFlags, labelFlags)},
	"patch":         {writes: true, args: objects, flags: flagsOf(fileFlag, writeFlags, "patch,p= type= subresource= local record")},
	"set image":     {writes: true, args: objectsAndPairs, flags: flagsOf(fileFlag, writeFlags, "selector,l= all local record")},
	"set env":       {writes: true, args: objectsAndPairs, flags: flagsOf(fileFlag, writeFlags, "selector,l= all local env,e= containers,c= overwrite list from= keys= prefix= resolve")},
	"set selector":  {writes: true, args: objectsAndPairs, flags: flagsOf(fileFlag, writeFlags, "all local record resource-version=")},
	"set resources": {writes: true, args: objects, flags: flagsOf(fileFlag, writeFlags, "selector,l= all local record containers,c= limits= requests=")},
})

const labelFlags = "overwrite resource-version= selector,l= field-selector= all list local record"

// aliases are kubectl's other names for the last word of a command.
var aliases = map[string][]string{
	"top pod": {"top pods", "top po"}, "top node": {"top nodes", "top no"},
	"create deployment": {"create deploy"}, "create configmap": {"create cm"},
	"create service clusterip": {"create svc clusterip"}, "create service nodeport": {"create svc nodeport"},
	"create service loadbalancer": {"create svc loadbalancer"}, "create service externalname": {"create svc externalname"},
}

func aliased(table map[string]verb) map[string]verb {
	for name, others := range aliases {
		for _, other := range others {
			table[other] = table[name]
		}
	}
	return table
}

// others are the commands of kubectl's that are refused, with the reason. A
// subcommand that is not listed has the reason of its nearest listed parent.
var others = map[string]harm{
	"cp": localFile, "config": localFile, "kuberc": localFile, "kustomize": localFile, "cluster-info dump": localFile,
	"create secret docker-registry": localFile, "create secret tls": localFile,
	"diff": runsProgram, "plugin": runsProgram, "apply edit-last-applied": runsProgram,
	"proxy": opensPort,
	"debug": leaves, "drain": leaves, "cordon": leaves, "uncordon": leaves, "taint": leaves, "certificate": leaves, "auth reconcile": leaves,
	"create namespace": leaves, "create clusterrole": leaves, "create clusterrolebinding": leaves, "create priorityclass": leaves, "set subject": leaves,
	"create token": otherCluster,
	"alpha":        notTaught, "options": notTaught, "completion": notTaught, "autoscale": notTaught, "set serviceaccount": notTaught,
	"apply set-last-applied": notTaught, "apply view-last-applied": notTaught, "create cronjob": notTaught, "create ingress": notTaught,
	"create poddisruptionbudget": notTaught, "create quota": notTaught, "create role": notTaught, "create rolebinding": notTaught,
	"create serviceaccount": notTaught,
}

// Forms of --output (k8s.io/cli-runtime/pkg/genericclioptions, and get's and
// explain's own).
var (
	plainForms  = strings.Fields("json yaml kyaml name wide plaintext plaintext-openapiv2")
	inlineForms = strings.Fields("go-template template jsonpath jsonpath-as-json custom-columns")
	fileForms   = strings.Fields("go-template-file templatefile jsonpath-file custom-columns-file")
)
