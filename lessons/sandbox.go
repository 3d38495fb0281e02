package lessons

import (
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"svctour/model"
)

// SandboxID stands for the sandbox where the ID of a lesson does.
const SandboxID = "sandbox"

// The label of what the sandbox makes, and its values: by it that is found again,
// whichever state it is of. The client stays from one state to the next.
const (
	sandboxLabel = "app.kubernetes.io/part-of"
	sandboxValue = "svctour-sandbox"
	clientValue  = "svctour-client"
)

const sandboxStates = 10 // one for each digit

// SandboxState is a state of the cluster that the sandbox brings about.
type SandboxState struct {
	Title string // two or three words
	Say   string // one sentence: what there is to see

	manifest string
	show     [4]template // the fields of a Show, in order
}

// sandboxFile is what sandbox.yaml holds.
type sandboxFile struct {
	Parts  map[string]string `yaml:"parts"` // manifests by name
	States []struct {
		Title string   `yaml:"title"`
		Say   string   `yaml:"say"`
		Parts []string `yaml:"parts"`
		Show  Show     `yaml:"show"`
	} `yaml:"states"`
}

var sandbox = sync.OnceValues(func() ([]SandboxState, error) {
	text, err := content.ReadFile(path.Join("content", "sandbox.yaml"))
	if err != nil {
		return nil, err
	}
	states, err := readSandbox(text)
	if err != nil {
		return nil, fmt.Errorf("read sandbox.yaml: %w", err)
	}
	return states, nil
})

// Sandbox gives the states of the sandbox, one for each digit.
func Sandbox() ([]SandboxState, error) { return sandbox() }

func readSandbox(text []byte) ([]SandboxState, error) {
	var file sandboxFile
	if err := yaml.Load(text, &file, yaml.WithKnownFields()); err != nil {
		return nil, err
	}
	if len(file.States) != sandboxStates {
		return nil, fmt.Errorf("%d states: want %d", len(file.States), sandboxStates)
	}
	for name, manifest := range file.Parts {
		if err := ours(manifest); err != nil {
			return nil, fmt.Errorf("part %q: %w", name, err)
		}
	}
	states := make([]SandboxState, 0, len(file.States))
	for _, s := range file.States {
		state := SandboxState{Title: s.Title, Say: s.Say}
		if s.Title == "" || s.Say == "" || len(s.Parts) == 0 {
			return nil, fmt.Errorf("state %q: want a title, a sentence and parts", s.Title)
		}
		var manifests []string
		for _, part := range s.Parts {
			manifest, ok := file.Parts[part]
			if !ok {
				return nil, fmt.Errorf("state %q: there is no part %q", s.Title, part)
			}
			manifests = append(manifests, manifest)
		}
		state.manifest = strings.Join(manifests, "---\n")
		for i, field := range []string{s.Show.Service, s.Show.From, s.Show.Name, s.Show.Target} {
			t, err := parseTemplate(field, plain(), anyText)
			if err != nil {
				return nil, fmt.Errorf("state %q: show %q: %w", s.Title, field, err)
			}
			state.show[i] = t
		}
		states = append(states, state)
	}
	return states, nil
}

// ours checks that every object of a manifest can be found again by its label.
func ours(manifest string) error {
	loader, err := yaml.NewLoader(strings.NewReader(manifest))
	if err != nil {
		return err
	}
	for {
		var object struct {
			Kind     string `yaml:"kind"`
			Metadata struct {
				Name   string            `yaml:"name"`
				Labels map[string]string `yaml:"labels"`
			} `yaml:"metadata"`
		}
		switch err := loader.Load(&object); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case object.Metadata.Labels[sandboxLabel] != sandboxValue && object.Metadata.Labels[sandboxLabel] != clientValue:
			return fmt.Errorf("%s %q lacks the label %s=%s", object.Kind, object.Metadata.Name, sandboxLabel, sandboxValue)
		}
	}
}

// Manifest is what the state is made of.
func (s *SandboxState) Manifest(namespace, domain string) string {
	return strings.NewReplacer("${namespace}", namespace, "${domain}", domain).Replace(s.manifest)
}

// ClearSandbox is the command that removes what states of the sandbox have made,
// and nothing else; the client stays. It waits until all of it is gone.
func ClearSandbox() Invocation {
	args := []string{"delete", "deployments,statefulsets,services,networkpolicies", "-l", sandboxLabel + "=" + sandboxValue, "--cascade=foreground"}
	return Invocation{Display: "kubectl " + strings.Join(args, " "), Args: args}
}

// Commands bring the state about, after what was made before is gone.
func (s *SandboxState) Commands(namespace, domain string) []Invocation {
	return []Invocation{ClearSandbox(), {Display: "kubectl apply -f box.yaml", Args: []string{"apply", "-f", "-"}, Stdin: s.Manifest(namespace, domain)}}
}

// ShowIn fills in what the panes are about. A field whose object does not exist
// yet is "".
func (s *SandboxState) ShowIn(snapshot *model.Snapshot, namespace string) Show {
	now := pictureOf(snapshot, namespace)
	in := &input{namespace: namespace, snapshot: snapshot, now: now, before: now}
	var fields [4]string
	for i, t := range s.show {
		if value, _, err := t.expand(in); err == nil {
			fields[i] = value
		}
	}
	return Show{Service: fields[0], From: fields[1], Name: fields[2], Target: fields[3]}
}
