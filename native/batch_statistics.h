// What BatchNorm needs of a whole batch, put together from its groups. statistics: mean [c], 1 / √(variance + ε) [c], the means
// that its gradient needs [c][2], the variance to remember [c].
#pragma once
#include <cmath>
#include <vector>

#include "program.h"

namespace mindts {

// Mean and variance of the batch from those of its groups, always in the same order (Chan, Golub and LeVeque 1979).
inline void combine_moments(const Op& op, const std::vector<Moments>& groups, int count, float* statistics) {
  for (int c = 0; c < op.in_c; c++) {
    Moments all = groups[c];
    for (int g = 1; g < count; g++) {
      const Moments& one = groups[(size_t)g * op.in_c + c];
      const double n = all.count + one.count, apart = one.mean - all.mean;
      all.mean += apart * one.count / n;
      all.squares += one.squares + apart * apart * all.count * one.count / n;
      all.count = n;
    }
    statistics[c] = (float)all.mean;
    statistics[op.in_c + c] = (float)(1 / std::sqrt(all.squares / all.count + op.epsilon));
    statistics[4 * op.in_c + c] = (float)(all.squares / (all.count > 1 ? all.count - 1 : 1));
  }
}

// The means over `places`, images × places of a channel, of what norm_sums gave for each group.
inline void combine_sums(const Op& op, const std::vector<double>& groups, int count, double places, float* statistics) {
  for (int i = 0; i < 2 * op.in_c; i++) {
    double sum = 0;
    for (int g = 0; g < count; g++) sum += groups[(size_t)g * op.in_c * 2 + i];
    statistics[2 * op.in_c + i] = (float)(sum / places);
  }
}

// The moving mean and variance take in those of the batch.
inline void remember_moments(const Op& op, const float* statistics, float* parameters) {
  float* mean = parameters + op.weight + 2 * op.in_c;
  float* variance = mean + op.in_c;
  for (int c = 0; c < op.in_c; c++) {
    mean[c] = op.factor * mean[c] + (1 - op.factor) * statistics[c];
    variance[c] = op.factor * variance[c] + (1 - op.factor) * statistics[4 * op.in_c + c];
  }
}

}  // namespace mindts
