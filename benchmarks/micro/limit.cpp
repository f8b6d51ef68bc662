// What the machine can do with the work of bar 19, without an engine: q2 and q5 over columns of doubles.
//   limit q2|q5 AUCTIONS PRICES TIMES ROWS ROUNDS  (files of doubles)
// Prints the median CPU time of a row in ns and the result, which has to be that of the engine.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

static std::vector<double> read(const char* path, size_t rows) {
  std::vector<double> column(rows);
  FILE* file = fopen(path, "rb");
  if (!file || fread(column.data(), 8, rows, file) != rows) exit(1);
  fclose(file);
  return column;
}

static double cpuNs() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * 1e9 + now.tv_nsec;
}

static int32_t q2(const double* auctions, const double* prices, size_t rows) {
  int32_t sum = 0;
  for (size_t i = 0; i < rows; i++) {
    int64_t auction = (int64_t)auctions[i];
    if (auction % 123 == 0) sum += (int32_t)auction + (int32_t)prices[i];
  }
  return sum;
}

// Counts by key in open addressing.
struct Table {
  std::vector<int64_t> keys;
  std::vector<int32_t> counts;
  size_t used = 0, mask;
  explicit Table(size_t size) : keys(size, -1), counts(size, 0), mask(size - 1) {}
  void clear() {
    std::fill(keys.begin(), keys.end(), -1);
    std::fill(counts.begin(), counts.end(), 0);
    used = 0;
  }
  void add(int64_t key, int32_t by) {
    size_t at = ((uint64_t)key * 0x9e3779b97f4a7c15ull >> 32) & mask;
    while (keys[at] != key) {
      if (keys[at] == -1) {
        keys[at] = key;
        if (++used * 2 > keys.size()) {
          counts[at] = by;
          grow();
          return;
        }
        break;
      }
      at = (at + 1) & mask;
    }
    counts[at] += by;
  }
  void grow() {
    Table larger(keys.size() * 2);
    for (size_t i = 0; i < keys.size(); i++)
      if (keys[i] != -1) larger.add(keys[i], counts[i]);
    *this = std::move(larger);
  }
};

// Windows of 10 s every 2 s as five slices; every key of every window is a result.
struct Sliced {
  static constexpr int64_t slide = 2000, panes = 5, delay = 4000;
  std::vector<Table> slices = std::vector<Table>(16, Table(4096));
  Table merged = Table(4096);
  int64_t first = INT64_MAX, next = INT64_MAX, last = INT64_MIN;
  int32_t sum = 0;

  void fire(int64_t end) {  // in slides
    merged.clear();
    for (int64_t pane = std::max(first, end - panes); pane < end && pane <= last; pane++) {
      const Table& slice = slices[pane & 15];
      for (size_t i = 0; i < slice.keys.size(); i++)
        if (slice.keys[i] != -1) merged.add(slice.keys[i], slice.counts[i]);
    }
    for (size_t i = 0; i < merged.keys.size(); i++)
      if (merged.keys[i] != -1) sum += (int32_t)(merged.keys[i] + 1) * merged.counts[i];
    if (end - panes >= first) slices[(end - panes) & 15].clear();
  }

  int32_t run(const double* auctions, const double* times, size_t rows) {
    int64_t pane = -1, to = INT64_MIN, due = INT64_MAX;
    Table* slice = nullptr;
    for (size_t i = 0; i < rows; i++) {
      int64_t time = (int64_t)times[i];
      while (time - delay >= due) {
        fire(next);
        next++;
        due = next * slide - 1;
      }
      if (time >= to || time < to - slide) {
        pane = time / slide;
        to = (pane + 1) * slide;
        slice = &slices[pane & 15];
        if (first == INT64_MAX) {
          first = pane;
          next = pane + 1;
          due = next * slide - 1;
        }
        last = std::max(last, pane);
      }
      slice->add((int64_t)auctions[i], 1);
    }
    while (next <= last + panes) fire(next++);
    return sum;
  }
};

int main(int, char** argv) {
  bool windows = strcmp(argv[1], "q5") == 0;
  size_t rows = strtoull(argv[5], nullptr, 10);
  int rounds = atoi(argv[6]);
  auto auctions = read(argv[2], rows), prices = read(argv[3], rows), times = read(argv[4], rows);
  std::vector<double> spent;
  int32_t result = 0;
  for (int round = -2; round < rounds; round++) {
    double before = cpuNs();
    result = windows ? Sliced().run(auctions.data(), times.data(), rows)
                     : q2(auctions.data(), prices.data(), rows);
    if (round >= 0) spent.push_back((cpuNs() - before) / rows);
  }
  std::sort(spent.begin(), spent.end());
  printf("{\"nsPerRow\":%.4f,\"result\":%d}\n", spent[spent.size() / 2], result);
}
