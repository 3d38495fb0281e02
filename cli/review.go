package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"svctour/desk"
	"svctour/lessons"
	"svctour/lessons/review"
)

// reviewFlags are the flags of svctour review. At most one of them is given.
type reviewFlags struct {
	list     bool
	export   string
	imported string
	lesson   string
}

func newReview(g *globals) *cobra.Command {
	var flags reviewFlags
	cmd := &cobra.Command{
		Use:   "review",
		Short: "Ask again what the lessons taught, when it is due",
		Long: "Ask again what the lessons taught, with other numbers, names and modes: the same day, the next day, and\n" +
			"after a week. First comes what you got wrong and were sure of. No cluster is needed. Answers are kept one\n" +
			"by one, so you may stop at any time.\n\n" +
			"  svctour review                  the questions that are due\n" +
			"  svctour review --list           what you know of each misconception, and when it comes back\n" +
			"  svctour review --lesson ID      five questions that tell whether you can skip a lesson\n" +
			"  svctour review --export FILE    write your answers to a file (- is stdout)\n" +
			"  svctour review --import FILE    add the answers of a file to yours (- is stdin)",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runReview(cmd, g, flags) },
	}
	cmd.Flags().BoolVar(&flags.list, "list", false, "list every misconception and how you stand with it")
	cmd.Flags().StringVar(&flags.export, "export", "", "write your answers to this `FILE`")
	cmd.Flags().StringVar(&flags.imported, "import", "", "add the answers of this `FILE` to yours")
	cmd.Flags().StringVar(&flags.lesson, "lesson", "", "ask five questions of the lesson with this `ID`")
	return cmd
}

func runReview(cmd *cobra.Command, g *globals, flags reviewFlags) error {
	var given []string
	for _, name := range []string{"list", "export", "import", "lesson"} {
		if cmd.Flags().Changed(name) {
			given = append(given, "--"+name)
		}
	}
	if len(given) > 1 {
		return usageError(fmt.Errorf("%s exclude each other", strings.Join(given, " and ")))
	}
	if err := checkOutput(g.Output); err != nil {
		return err
	}
	if g.Output != "text" && !flags.list {
		return usageError(errors.New("-o json and -o yaml go with --list"))
	}
	state, err := g.Env.StateDir()
	if err != nil {
		return err
	}
	store := desk.NewFileProgress(state)
	if cmd.Flags().Changed("import") {
		return importReview(g, store, flags.imported)
	}
	record, err := store.Review()
	if err != nil {
		return err
	}
	if cmd.Flags().Changed("export") {
		return exportReview(g, record, flags.export)
	}
	bank, err := review.Builtin()
	if err != nil {
		return err
	}
	if flags.list {
		return listReview(g, bank, record, time.Now())
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel() // lets go of the input
	a := &asker{
		g: g, record: record, store: store,
		session: review.NewSession(bank, record, desk.World, uint64(time.Now().UnixNano())), lines: linesOf(ctx, g.In),
	}
	if cmd.Flags().Changed("lesson") {
		return a.placement(ctx, flags.lesson)
	}
	return a.due(ctx, bank)
}

func exportReview(g *globals, record *review.Record, file string) error {
	data, err := record.Encode()
	if err != nil {
		return err
	}
	if file == "-" {
		_, err = g.Out.Write(data)
		return err
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return fmt.Errorf("export to %q: %w", file, err)
	}
	fmt.Fprintf(g.Out, "%s written to %s.\n", count(len(record.Answers), "answer"), printableLines(file))
	return nil
}

func importReview(g *globals, store *desk.FileProgress, file string) error {
	data, err := readLimited(g.In, file, review.MaxBytes)
	if err != nil {
		return usageError(fmt.Errorf("import %q: %w", file, err))
	}
	other, err := review.Read(data, time.Now())
	if err != nil {
		return usageError(fmt.Errorf("import %q: %w", file, err))
	}
	mine, err := store.Review()
	if err != nil {
		return err
	}
	added := mine.Merge(other)
	if err := store.KeepReview(other); err != nil {
		return err
	}
	fmt.Fprintf(g.Out, "%s added, %d were there.\n", count(added, "answer"), len(other.Answers)-added)
	return nil
}

// readLimited reads a file, or in for "-", and one byte more than most at the most.
func readLimited(in io.Reader, file string, most int64) ([]byte, error) {
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer opened.Close()
		in = opened
	}
	return io.ReadAll(io.LimitReader(in, most+1))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// asker asks on plain lines, at a terminal or through a pipe.
type asker struct {
	g       *globals
	record  *review.Record
	store   *desk.FileProgress
	session *review.Session
	lines   <-chan string

	asked, right int
}

// linesOf reads lines until in or ctx ends. The goroutine ends with the process
// at the latest: a terminal cannot be interrupted.
func linesOf(ctx context.Context, in io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(in)
		for scanner.Scan() {
			select {
			case lines <- scanner.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

// errEnough: the person has ended it, or the input has.
var errEnough = errors.New("enough")

// due asks what is due.
func (a *asker) due(ctx context.Context, bank *review.Bank) error {
	if len(a.record.Answers) == 0 {
		fmt.Fprintln(a.g.Out, "You have answered no question yet. Play a lesson first, or try `svctour review --lesson clusterip`.")
		return nil
	}
	for {
		left := len(a.session.Due(time.Now()))
		asked, err := a.session.Next(time.Now())
		if err != nil {
			return err
		}
		if asked == nil {
			break
		}
		if a.asked == 0 {
			a.explain()
		}
		if _, err := a.ask(ctx, asked, count(left, "misconception")+" to look at", review.FromReview); err != nil {
			return a.ended(ctx, err)
		}
	}
	if a.asked > 0 {
		fmt.Fprintf(a.g.Out, "\n%s, %d right. ", count(a.asked, "answer"), a.right)
	}
	fmt.Fprintln(a.g.Out, "Nothing more is due. "+nextDue(bank, a.record, time.Now()))
	return nil
}

func (a *asker) explain() {
	fmt.Fprintln(a.g.Out, "A digit chooses. Then s if you are sure, g if you guess. q ends it; what you answered is kept.")
}

// ended tells what became of it when a person stops.
func (a *asker) ended(ctx context.Context, err error) error {
	if !errors.Is(err, errEnough) {
		return err
	}
	fmt.Fprintf(a.g.Out, "\n%s kept.\n", count(a.asked, "answer"))
	return ctx.Err()
}

// ask puts one question, keeps the answer and tells what is right.
func (a *asker) ask(ctx context.Context, q *review.Asked, head, from string) (review.Answer, error) {
	p := page{width: textWidth}
	p.blank()
	p.title(head, "lesson "+q.Lesson)
	p.paragraph("", "", q.Question)
	for i, c := range q.Choices {
		p.paragraph(fmt.Sprintf("  %d  ", i+1), "     ", c.Say)
	}
	fmt.Fprint(a.g.Out, p.String())
	choice, sure, err := a.answer(ctx, len(q.Choices))
	if err != nil {
		return review.Answer{}, err
	}
	answer, err := a.session.Answer(q, choice, sure, from, time.Now())
	if err != nil {
		return review.Answer{}, err
	}
	a.asked++
	if err := a.store.KeepReview(a.record); err != nil {
		return review.Answer{}, err
	}
	p = page{width: p.width}
	if answer.Right {
		a.right++
		p.paragraph("Right. ", "", q.Why)
	} else {
		p.paragraph("No. ", "", q.Choices[choice].Help)
		p.paragraph("Right is ", "", fmt.Sprintf("%d: %s", q.Right+1, q.Choices[q.Right].Say))
		p.paragraph("", "", q.Why)
	}
	fmt.Fprint(a.g.Out, p.String())
	return answer, nil
}

// answer reads a digit and s or g, on one line or on two.
func (a *asker) answer(ctx context.Context, choices int) (choice int, sure bool, err error) {
	for {
		line, err := a.line(ctx, fmt.Sprintf("Your answer, 1 to %d: ", choices))
		if err != nil {
			return 0, false, err
		}
		digit, rest := line, ""
		if len(line) > 1 {
			digit, rest = line[:1], strings.TrimSpace(line[1:])
		}
		choice, err = strconv.Atoi(digit)
		if err != nil || choice < 1 || choice > choices {
			fmt.Fprintf(a.g.Out, "Type a number from 1 to %d.\n", choices)
			continue
		}
		for rest == "" || rest != "s" && rest != "g" {
			if rest, err = a.line(ctx, "Sure (s) or a guess (g)? "); err != nil {
				return 0, false, err
			}
		}
		return choice - 1, rest == "s", nil
	}
}

// line asks for a line, without the blanks around it.
func (a *asker) line(ctx context.Context, prompt string) (string, error) {
	fmt.Fprint(a.g.Out, prompt)
	select {
	case <-ctx.Done():
		return "", errEnough
	case text, more := <-a.lines:
		text = strings.ToLower(strings.TrimSpace(text))
		if !more || text == "q" {
			return "", errEnough
		}
		if asTerminal(a.g.In) == nil { // nobody has seen a line end
			fmt.Fprintln(a.g.Out)
		}
		return text, nil
	}
}

// placement asks the questions before a lesson.
func (a *asker) placement(ctx context.Context, id string) error {
	list, err := lessons.Builtin()
	if err != nil {
		return err
	}
	l, err := lessons.Find(list, id)
	if err != nil {
		return usageError(err)
	}
	questions, err := a.session.Placement(id)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.g.Out, "%d questions about lesson %d, %s. ", len(questions), l.Number, l.Title)
	a.explain()
	var answers []review.Answer
	for i, q := range questions {
		answer, err := a.ask(ctx, q, fmt.Sprintf("%d of %d", i+1, len(questions)), review.FromPlacement)
		if err != nil {
			return a.ended(ctx, err)
		}
		answers = append(answers, answer)
	}
	result := a.session.Judge(id, answers, time.Now())
	if err := a.store.KeepReview(a.record); err != nil {
		return err
	}
	p := page{width: textWidth}
	p.blank()
	p.paragraph("", "", fmt.Sprintf("%d of %d right. %s", result.Right, result.Asked, placed(result, l)))
	fmt.Fprint(a.g.Out, p.String())
	return nil
}

func placed(result review.Placement, l *lessons.Lesson) string {
	switch {
	case result.Skip:
		return fmt.Sprintf("You can skip lesson %d. It stays open, in case you want to play it.", l.Number)
	case result.Right >= result.Asked-1:
		return fmt.Sprintf("You were sure of something that is not so: lesson %d shows it. `svctour lesson %s` opens it.", l.Number, l.ID)
	}
	return fmt.Sprintf("Lesson %d has something for you: `svctour lesson %s` opens it.", l.Number, l.ID)
}
