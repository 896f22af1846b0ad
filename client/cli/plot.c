// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "bench.h"

#define WIDTH 800.0
#define HEIGHT 480.0
#define LEFT 80.0
#define RIGHT 190.0
#define TOP 50.0
#define BOTTOM 60.0
#define Y_TICKS 5

extern char **environ;

static const char *const colours[] = {
	"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#f0e442",
};

struct frame {
	double x0, x1, y1;	/* logarithms of x; y begins at 0 */
};

static double at_x(const struct frame *f, double x)
{
	return LEFT + (log(x) - f->x0) / (f->x1 - f->x0) * (WIDTH - LEFT - RIGHT);
}

static double at_y(const struct frame *f, double y)
{
	return HEIGHT - BOTTOM - y / f->y1 * (HEIGHT - TOP - BOTTOM);
}

/* The next of 1, 2, 5, 10, 20, ... */
static double round_up(double v)
{
	double power = pow(10, floor(log10(v)));

	return power * (v <= power ? 1 : v <= 2 * power ? 2 : v <= 5 * power ? 5 : 10);
}

static struct frame frame_of(const struct plot *p)
{
	struct frame f = { INFINITY, -INFINITY, 0 };
	size_t i, k;

	for (i = 0; i < p->n; i++) {
		for (k = 0; k < p->series[i].n; k++) {
			f.x0 = fmin(f.x0, log(p->series[i].x[k]));
			f.x1 = fmax(f.x1, log(p->series[i].x[k]));
			f.y1 = fmax(f.y1, p->series[i].y[k]);
		}
	}
	if (!(f.x1 > f.x0)) {	/* one point, in the middle */
		f.x0 = isfinite(f.x0) ? f.x0 - 0.5 : 0;
		f.x1 = f.x0 + 1;
	}
	f.y1 = Y_TICKS * round_up((f.y1 > 0 ? f.y1 : 1) / Y_TICKS);
	return f;
}

static void text(FILE *out, double x, double y, const char *anchor, const char *words)
{
	fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, words);
}

static void draw_axes(FILE *out, const struct plot *p, const struct frame *f)
{
	char label[32];
	double v;
	size_t i;

	for (i = 0; i <= Y_TICKS; i++) {
		v = f->y1 * (double)i / Y_TICKS;
		snprintf(label, sizeof(label), "%g", v);
		fprintf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n",
			LEFT, at_y(f, v), WIDTH - RIGHT, at_y(f, v));
		text(out, LEFT - 8, at_y(f, v) + 4, "end", label);
	}
	for (i = 0; i < p->nr_ticks; i++) {
		v = at_x(f, p->tick_x[i]);
		if (v < LEFT - 1 || v > WIDTH - RIGHT + 1)
			continue;
		fprintf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n",
			v, TOP, v, HEIGHT - BOTTOM);
		text(out, v, HEIGHT - BOTTOM + 18, "middle", p->tick_text[i]);
	}
	text(out, (LEFT + WIDTH - RIGHT) / 2, 28, "middle", p->title);
	text(out, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 15, "middle", p->x_label);
	fprintf(out, "<text transform=\"translate(20,%.1f) rotate(-90)\" text-anchor=\"middle\">%s</text>\n",
		(TOP + HEIGHT - BOTTOM) / 2, p->y_label);
}

static void draw_series(FILE *out, const struct plot_series *s, const struct frame *f, size_t number)
{
	const char *colour = colours[number % (sizeof(colours) / sizeof(colours[0]))];
	double y = TOP + 10 + 20 * (double)number;
	size_t k;

	fprintf(out, "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"%s\" points=\"", colour);
	for (k = 0; k < s->n; k++)
		fprintf(out, "%.1f,%.1f ", at_x(f, s->x[k]), at_y(f, s->y[k]));
	fprintf(out, "\"/>\n");
	for (k = 0; k < s->n && s->n <= BENCH_SIZES_MAX; k++)
		fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", at_x(f, s->x[k]),
			at_y(f, s->y[k]), colour);
	fprintf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"2\"/>\n",
		WIDTH - RIGHT + 15, y, WIDTH - RIGHT + 40, y, colour);
	text(out, WIDTH - RIGHT + 46, y + 4, "start", s->name);
}

static int write_svg(const struct plot *p, const char *path, struct iopmem_err *err)
{
	struct frame f = frame_of(p);
	FILE *out = fopen(path, "we");
	size_t i;

	if (!out)
		return cli_error(err, errno, "write", path);
	fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
		     "font-family=\"sans-serif\" font-size=\"12\">\n"
		     "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n", WIDTH, HEIGHT);
	draw_axes(out, p, &f);
	for (i = 0; i < p->n; i++)
		draw_series(out, &p->series[i], &f, i);
	fprintf(out, "</svg>\n");
	i = (size_t)ferror(out);
	if (fclose(out) || i)
		return cli_error(err, errno ? errno : EIO, "write", path);
	return 0;
}

int plot_write(const struct plot *p, const char *dir, const char *name, bool *png,
	       struct iopmem_err *err)
{
	char svg[4096], out[4096], program[] = "rsvg-convert", option[] = "-o";
	char *argv[] = { program, option, out, svg, NULL };
	int ret, status = -1;
	pid_t pid;

	if ((size_t)snprintf(svg, sizeof(svg), "%s/%s.svg", dir, name) >= sizeof(svg))
		return cli_error(err, ENAMETOOLONG, "write into", dir);
	snprintf(out, sizeof(out), "%s/%s.png", dir, name);
	ret = write_svg(p, svg, err);
	if (ret)
		return ret;
	*png = !posix_spawnp(&pid, program, NULL, NULL, argv, environ);
	if (!*png)	/* it is not installed */
		return 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status ? cli_error(err, EIO, "rsvg-convert of", svg) : 0;
}
