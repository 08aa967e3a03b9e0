"""The numbers that tests/statistics.rs compares with.

    pip install "rliable==1.2.0" "pandas<3" statsmodels
    python tests/golden/with_rliable.py

rliable 1.2.0, arch 7.2.0, scipy 1.17.1, statsmodels 0.15.0.
"""

import numpy as np
import scipy.stats
from rliable import library, metrics
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

# Runs by tasks.
X = np.array([[0.42, 0.81, 0.13], [0.47, 0.77, 0.55], [0.36, 0.93, 0.08], [0.61, 0.70, 0.21], [0.44, 0.88, 0.34]])
Y = np.array([[0.40, 0.79, 0.13], [0.41, 0.81, 0.40], [0.39, 0.90, 0.10], [0.52, 0.66, 0.25], [0.44, 0.71, 0.30]])
ONE = np.array([[0.736], [0.701], [0.755], [0.622], [0.798], [0.744], [0.690], [0.715]])

aggregates = {
    "mean": metrics.aggregate_mean,
    "median": metrics.aggregate_median,
    "iqm": metrics.aggregate_iqm,
    "optimality_gap": metrics.aggregate_optimality_gap,
}


def interval(scores, function, reps=20_000):
    np.random.seed(1)
    _, found = library.get_interval_estimates({"": scores}, lambda *x: np.array([function(*x)]), reps=reps)
    return found[""][:, 0]


for name, scores in [("X", X), ("Y", Y), ("ONE", ONE)]:
    for aggregate, function in aggregates.items():
        low, high = interval(scores, function)
        print(f"{name} {aggregate} {function(scores):.9f} [{low:.4f}, {high:.4f}]")
low, high = interval([X, Y], metrics.probability_of_improvement, 5_000)
print(f"P(X > Y) {metrics.probability_of_improvement(X, Y):.9f} [{low:.4f}, {high:.4f}]")
print("student", scipy.stats.ttest_1samp([0.1, 0.2, -0.05, 0.3, 0.15, 0.02], 0.0).confidence_interval())

for d in [[0.1, 0.2, -0.05, 0.3, 0.15, 0.02], [0.1, 0.1, -0.1, 0.2, 0.0, 0.3, 0.2], [0.5] * 8, [0.1, -0.1]]:
    # Exact also with ties: the distribution over all signs.
    exact = scipy.stats.wilcoxon(d, method=scipy.stats.PermutationMethod(n_resamples=np.inf)).pvalue
    positive, negative = sum(x > 0 for x in d), sum(x < 0 for x in d)
    sign = scipy.stats.binomtest(positive, positive + negative).pvalue
    print(f"{d}: wilcoxon {exact:.9f} sign {sign:.9f}")
d = [(i * 37 % 101 - 40) / 100 for i in range(80)]
print(f"80 of them: wilcoxon {scipy.stats.wilcoxon(d, correction=True, method='approx').pvalue:.9f}")

p = [0.01, 0.04, 0.03, 0.005, 0.6]
print("holm", multipletests(p, method="holm")[1])

for effect in [0.3, 0.5, 0.8, 1.2]:
    for n in [3, 5, 10, 50]:
        print(f"power of {n} pairs, effect {effect}: {TTestPower().power(effect, n, 0.05):.9f}")
    print(f"pairs for effect {effect}: {np.ceil(TTestPower().solve_power(effect, None, 0.05, 0.8)):.0f}")

print("area", np.trapezoid([0.2, 0.5, 0.6, 0.9], [0.0, 10.0, 40.0, 50.0]) / 50.0)
