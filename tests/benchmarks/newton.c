/* The damped Newton iteration of the kernel's newton_sweep, one point at a time, for two tokens and rank one.
   Written by hand from theory notes section 8; the benchmark builds it with cc -O3 and compares results and time. */
#include <math.h>

static void objective(double z1, double z2, double w1, double w2, double V, const double *T, double sigma,
                      double *value, double *g, double *H)
{
    double s2 = sigma * sigma, p = 1.0 / (1.0 + exp(z1 * z2 - z1 * z1)), r = 1.0 / (1.0 + exp(z2 * z2 - z1 * z2));
    double d1 = p - T[0], d2 = 1.0 - p - T[1], d3 = r - T[2], d4 = 1.0 - r - T[3], a = z1 - w1, b = z2 - w2;
    double u = p * (1.0 - p), v = r * (1.0 - r);
    double A = s2 * u * (d1 - d2), B = s2 * u * ((1.0 - 2.0 * p) * (d1 - d2) + 2.0 * u);
    double C = s2 * v * (d3 - d4), D = s2 * v * ((1.0 - 2.0 * r) * (d3 - d4) + 2.0 * v);
    double x1 = 2.0 * z1 - z2, y2 = z1 - 2.0 * z2, k = 1.0 / V;
    *value = 0.5 * k * (a * a + b * b) + 0.5 * s2 * (d1 * d1 + d2 * d2 + d3 * d3 + d4 * d4);
    g[0] = k * a + A * x1 + C * z2;
    g[1] = k * b - A * z1 + C * y2;
    H[0] = k + 2.0 * A + B * x1 * x1 + D * z2 * z2;
    H[1] = C - A - B * x1 * z1 + D * y2 * z2;
    H[2] = k - 2.0 * C + B * z1 * z1 + D * y2 * y2;
}

void minimise(long n, const double *fields, const double *targets, const double *guesses, double V, double sigma,
              double *out)
{
    double floor = 1e-5 / V;
    for (long i = 0; i < n; i++) {
        double w1 = fields[2 * i], w2 = fields[2 * i + 1], z1 = guesses[2 * i], z2 = guesses[2 * i + 1];
        double step1 = 0, step2 = 0, scale = 0, value = INFINITY, descent = 0, done = 0;
        for (int sweep = 0; sweep < 100 && !done; sweep++) {
            double t1 = z1 + scale * step1, t2 = z2 + scale * step2, trial, g[2], H[3];
            objective(t1, t2, w1, w2, V, targets + 4 * i, sigma, &trial, g, H);
            if (!(trial <= value + 1e-4 * scale * descent + 1e-15 * fabs(value))) {
                scale *= 0.4;
                continue;
            }
            double p1 = fmax(fabs(H[0]), floor), l = H[1] / p1, raw2 = H[2] - l * H[1], p2 = fmax(fabs(raw2), floor);
            double h2 = -g[1] + l * g[0];
            step2 = h2 / p2;
            step1 = -g[0] / p1 - l * step2;
            double squared = step1 * step1 + step2 * step2, room = 1.0 + t1 * t1 + t2 * t2;
            int convex = H[0] > floor && raw2 > floor, nearly = H[0] > -floor && raw2 > -floor;
            done = (convex && squared < 1e-14 * fmin(1.0, V * fmin(p1, p2)) * room) || (nearly && squared < 1e-18 * room);
            double shrink = 1.0 / fmax(1.0, fmax(fabs(step1), fabs(step2)));
            step1 *= shrink;
            step2 *= shrink;
            descent = g[0] * step1 + g[1] * step2;
            z1 = t1 + (done ? step1 : 0.0);
            z2 = t2 + (done ? step2 : 0.0);
            value = trial + (done ? 0.5 * descent : 0.0);
            scale = 1.0;
        }
        out[4 * i] = z1;
        out[4 * i + 1] = z2;
        out[4 * i + 2] = value;
        out[4 * i + 3] = done;
    }
}
