/* The training recursion as one writes it in C with care: two passes over the units a step, the
   activation in arithmetic that a compiler turns into vectors, the same as in
   verification/recurrent/compiled_activations.py.  D and LOGISTIC are given when it is compiled. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#define MAGIC 6755399441055744.0

static inline void power(double x, double *two_to_n, double *r, double *p)
{
    double shifted = x * 2.8853900817779268 + MAGIC, n = shifted - MAGIC;
    *r = LOGISTIC ? (x - n * 0x1.62e42fefa3800p-2) - n * 0x1.ef35793c76730p-46
                  : x - n * 0.34657359027997264;
    double q = *r * *r;
    *p = q * (0.33333333333333204 + q * (-0.02222222222161266 + q * (0.0021164020229016765
         + q * (-0.00021163395042218884 + q * 2.1187295617904737e-05))));
    int64_t bits;
    memcpy(&bits, &shifted, 8);
    bits = (bits << 52) + 0x3FF0000000000000;
    memcpy(two_to_n, &bits, 8);
}

static inline double clamped(double x, double bound)
{
    x = x < -bound ? -bound : x;
    return x > bound ? bound : x;
}

static inline void activation(double x, double *value, double *slope)
{
    double e, r, p;
#if LOGISTIC
    power(clamped(0.5 * x, 354.0), &e, &r, &p);
    double up = e + e * (p + r), down = 1.0 + (p - r), inverse = 1.0 / (up + down);
    *value = up * inverse;
    *slope = *value * (down * inverse);
#else
    power(clamped(x, 22.0), &e, &r, &p);
    double less = e - 1.0, more = e + 1.0;
    *value = (less + (more * r + less * p)) / (more + (less * r + more * p));
    *slope = 1.0 - *value * *value;
#endif
}

double train(long n, long steps, const long *path, const double *inputs, const double *targets,
             double *restrict c, double *restrict w, double *restrict b, double *restrict hidden,
             double *restrict value, double *restrict through, double scale, double weight_rate,
             double feedback_rate, double clip, double memory)
{
    for (long k = 0; k < steps; k++) {
        const double *x = inputs + D * path[k];
        double total = 0, bend = 0, fed = 0;
#pragma omp simd reduction(+ : total, bend)
        for (long i = 0; i < n; i++) {
            double u = memory, s, slope;
            for (int j = 0; j < D; j++) u += w[j * n + i] * x[j];
            activation(u, &s, &slope);
            value[i] = s;
            through[i] = c[i] * slope;
            total += c[i] * s;
            bend += through[i];
        }
        double error = total * scale, size = fabs(error);
        if (size > clip) {
            double t = (size - clip) / (2 * clip);
            t = t < 1 ? t : 1;
            error = copysign(clip + 2 * clip * (t - t * t * t + t * t * t * t / 2), error);
        }
        error -= targets[path[k]];
        double rate = weight_rate * error, rate_b = feedback_rate * error * bend;
#pragma omp simd reduction(+ : fed)
        for (long i = 0; i < n; i++) {
            for (int j = 0; j < D; j++) w[j * n + i] -= rate * x[j] * through[i];
            c[i] -= rate * value[i];
            b[i] -= rate_b * hidden[i];
            fed += b[i] * value[i];
            hidden[i] = value[i];
        }
        memory = fed / n;
    }
    return memory;
}
