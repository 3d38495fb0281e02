package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/colorprofile"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"svctour/desk"
	"svctour/lessons"
	"svctour/ui/still"
)

// pictureOptions are what svctour picture is asked.
type pictureOptions struct {
	file    string // "" and "-": standard output
	size    string // "120x40"; "": the terminal's, or that
	at      string
	full    bool
	light   bool
	ascii   bool
	timeout time.Duration
}

func newPicture(g *globals) *cobra.Command {
	var o pictureOptions
	cmd := &cobra.Command{
		Use:   "picture LESSON|DIR STEP",
		Short: "Draw what the app shows at a step of a lesson",
		Long: `Draw what the app shows at a step of a lesson, as text or as SVG. STEP is its
number or its title; DIR, written with a slash, is a folder with a lesson.md.

The step's start state is really brought about, in a namespace of its own on the
lab: on the one that runs, or on one that is started for it and ends with it. No
other cluster is touched. What was made is removed again.`,
		Example: `  svctour picture clusterip 5
  svctour picture nodeport "Two lines" --size 200x60 -o nodeport.svg
  svctour picture clusterip 6 --at reply --light -o reply.svg`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usageError(errors.New(`picture needs a lesson and a step, for example: svctour picture clusterip 5`))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return runPicture(cmd.Context(), g, args[0], args[1], o)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.file, "output", "o", "", "the file to write, .svg or .txt; \"\" is standard output, as text")
	flags.StringVar(&o.size, "size", "", "columns and rows, such as 120x40 (the terminal's, or that)")
	flags.StringVar(&o.at, "at", "start", "the moment of the step: "+strings.Join(still.Moments(), ", "))
	flags.BoolVar(&o.full, "full", false, "the stage on the whole screen")
	flags.BoolVar(&o.light, "light", false, "colours for a light background")
	flags.BoolVar(&o.ascii, "ascii", false, "only characters of ASCII")
	flags.DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long the start state is waited for")
	return cmd
}

// runPicture draws a step. It writes nothing unless the picture is there.
func runPicture(ctx context.Context, g *globals, lesson, step string, o pictureOptions) (err error) {
	l, err := lessonOf(lesson)
	if err != nil {
		return err
	}
	index, err := stepOf(l, step)
	if err != nil {
		return err
	}
	w, h, err := pictureSize(g, o)
	if err != nil {
		return err
	}
	if err := checkPicture(g, o); err != nil {
		return err
	}
	options, err := deskOptions(g)
	if err != nil {
		return err
	}
	options.ASCII = o.ascii || o.text() && g.Env.ASCII()
	options.Namespaces = []string{ownNamespace()}
	open := desk.New(options).Still(ctx, l, index, o.light)
	defer func() {
		if closeErr := open.Close(); closeErr != nil {
			err = errors.Join(err, closeErr)
		}
	}()
	limited, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	open.Resize(w, h)
	open.Background(o.light)
	if err := bringAbout(limited, open, o); err != nil {
		return atStep(l, index, err)
	}
	return writePicture(g, o, open, fmt.Sprintf("svctour, lesson %d %s: %s", l.Number, l.Title, l.Steps[index].Title))
}

// bringAbout waits for the step's start, and goes on to the moment to be drawn.
func bringAbout(ctx context.Context, open *desk.Still, o pictureOptions) error {
	if err := open.Ready(ctx); err != nil {
		return err
	}
	if o.full {
		if err := open.Press("z"); err != nil {
			return err
		}
		if err := open.Ready(ctx); err != nil {
			return err
		}
	}
	return open.At(ctx, o.at)
}

// atStep says at which step something has failed, unless the person has ended it.
func atStep(l *lessons.Lesson, index int, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("step %d %q: %w", index+1, l.Steps[index].Title, err)
}

// text says whether the picture is made of characters.
func (o pictureOptions) text() bool { return filepath.Ext(o.file) != ".svg" }

// stepOf finds a step by its number from 1, its title or its ID.
func stepOf(l *lessons.Lesson, step string) (int, error) {
	if n, err := strconv.Atoi(step); err == nil {
		if n < 1 || n > len(l.Steps) {
			return 0, usageError(fmt.Errorf("lesson %q has steps 1 to %d, not %d", l.ID, len(l.Steps), n))
		}
		return n - 1, nil
	}
	var titles []string
	for i, s := range l.Steps {
		if strings.EqualFold(s.Title, step) || s.ID == step {
			return i, nil
		}
		titles = append(titles, strconv.Quote(s.Title))
	}
	return 0, usageError(fmt.Errorf("lesson %q has no step %q; it has %s", l.ID, step, strings.Join(titles, ", ")))
}

// Sizes of pictures in cells: what the app needs at least, and enough for any wall.
const (
	leastWidth, leastHeight = 40, 12
	mostWidth, mostHeight   = 500, 200
)

func pictureSize(g *globals, o pictureOptions) (w, h int, err error) {
	if o.size == "" {
		if out := asTerminal(g.Out); out != nil && (o.file == "" || o.file == "-") {
			if w, h, err := term.GetSize(int(out.Fd())); err == nil && w >= leastWidth && h > leastHeight {
				return w, h - 1, nil // the prompt has the last row
			}
		}
		return 120, 40, nil
	}
	columns, rows, ok := strings.Cut(o.size, "x")
	w, widthErr := strconv.Atoi(columns)
	h, heightErr := strconv.Atoi(rows)
	switch {
	case !ok || widthErr != nil || heightErr != nil:
		return 0, 0, usageError(fmt.Errorf("--size %q: want columns and rows, such as 120x40", o.size))
	case w < leastWidth || h < leastHeight || w > mostWidth || h > mostHeight:
		return 0, 0, usageError(fmt.Errorf("--size %q: want %dx%d to %dx%d", o.size, leastWidth, leastHeight, mostWidth, mostHeight))
	}
	return w, h, nil
}

// checkPicture refuses, before anything is done, what cannot come to a picture.
func checkPicture(g *globals, o pictureOptions) error {
	switch {
	case g.Context != "" || g.Kubeconfig != "" || g.Namespace != "":
		return usageError(errors.New("a picture is taken on the lab, in a namespace of its own: --kubeconfig, --context and --namespace have no meaning here"))
	case !slices.Contains(still.Moments(), o.at):
		return usageError(fmt.Errorf("--at %q: want %s", o.at, strings.Join(still.Moments(), ", ")))
	case o.timeout <= 0:
		return usageError(fmt.Errorf("--timeout %v: want more than nothing", o.timeout))
	case o.file == "" || o.file == "-":
		return nil
	}
	if ext := filepath.Ext(o.file); ext != ".svg" && ext != ".txt" {
		return usageError(fmt.Errorf("--output %q: want a name that ends with .svg or .txt", o.file))
	}
	if info, err := os.Stat(filepath.Dir(o.file)); err != nil || !info.IsDir() {
		return usageError(fmt.Errorf("--output %q: there is no such folder", o.file))
	}
	return nil
}

// ownNamespace is a name that no one else uses: it is removed with all that is in it.
func ownNamespace() string {
	const letters = "bcdfghjklmnpqrstvwxz2456789" // as Kubernetes has them in generated names (k8s.io/apimachinery/pkg/util/rand)
	name := []byte("picture-")
	for range 6 {
		name = append(name, letters[rand.IntN(len(letters))])
	}
	return string(name)
}

// writePicture writes the present frame: with colours to a terminal that has some.
func writePicture(g *globals, o pictureOptions, open *desk.Still, title string) error {
	var content bytes.Buffer
	switch {
	case !o.text():
		content.Write(open.SVG(title))
	case o.file == "" && asTerminal(g.Out) != nil && !g.NoColor:
		_, err := io.WriteString(colorprofile.NewWriter(g.Out, g.Env), open.Frame().Render()+"\n")
		return err
	default:
		content.WriteString(open.Frame().Plain() + "\n")
	}
	if o.file == "" || o.file == "-" {
		_, err := g.Out.Write(content.Bytes())
		return err
	}
	if err := os.WriteFile(o.file, content.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write the picture: %w", err)
	}
	return nil
}
