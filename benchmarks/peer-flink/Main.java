package tidemill.peer;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Locale;
import java.util.stream.Stream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.metrics.Counter;
import org.apache.flink.runtime.util.EnvironmentInformation;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

/**
 * One run of one query on the JSON lines file, in a cluster inside this process, as `nexmark/peer-run.ts` is one of the
 * other systems. Arguments: folder of this program, query, file, events, events of the warm-up, checkpoint interval.
 * Prints one JSON object on standard output.
 */
public final class Main {
  private static final long SAMPLE_MS = 2;
  private static final long CLOCK_TICKS_PER_SECOND = 100;

  private record Instant(long events, double cpuMs, double sysMs, double atMs) {
    static Instant now(long events) throws IOException {
      var system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
      double startedAt = ManagementFactory.getRuntimeMXBean().getStartTime();
      return new Instant(
          events,
          system.getProcessCpuTime() / 1e6,
          sysMsOfProcess(),
          System.currentTimeMillis() - startedAt);
    }

    /** Java tells only the sum of user and system time. */
    private static double sysMsOfProcess() throws IOException {
      Path stat = Path.of("/proc/self/stat");
      if (!Files.exists(stat)) return 0;
      String text = Files.readString(stat);
      String[] fields = text.substring(text.lastIndexOf(')') + 2).split(" ");
      return Long.parseLong(fields[12]) * 1000.0 / CLOCK_TICKS_PER_SECOND;
    }
  }

  public static void main(String[] args) throws Exception {
    Path folder = Path.of(args[0]);
    String query = args[1];
    long events = Long.parseLong(args[3]);
    long warmupEvents = Long.parseLong(args[4]);
    Path checkpoints = Files.createTempDirectory("peer-flink-");
    try {
      var environment =
          StreamExecutionEnvironment.createLocalEnvironment(1, settings(args[5], checkpoints));
      var tables = StreamTableEnvironment.create(environment);
      tables.createTemporarySystemFunction("count_char", CountChar.class);
      for (String name : new String[] {"tables", query}) {
        String script = Files.readString(folder.resolve("queries").resolve(name + ".sql"));
        for (String statement : statementsOf(script.replace("${file}", args[2]))) {
          var result = tables.executeSql(statement);
          if (!statement.toLowerCase(Locale.ROOT).startsWith("insert")) continue;
          Instant over = warmUp(result.getJobClient().orElseThrow(), warmupEvents);
          result.await();
          print(over, Instant.now(events), completedCheckpoints());
        }
      }
    } finally {
      delete(checkpoints);
    }
    // Threads of the cluster that nobody waits for must not keep the process.
    System.exit(0);
  }

  private static Configuration settings(String checkpointIntervalMs, Path checkpoints) {
    var settings = new Configuration();
    String[][] options = {
      {"execution.runtime-mode", "STREAMING"},
      {"execution.checkpointing.mode", "EXACTLY_ONCE"},
      {"execution.checkpointing.interval", checkpointIntervalMs + " ms"},
      {"execution.checkpointing.storage", "filesystem"},
      {"execution.checkpointing.dir", checkpoints.toUri().toString()},
      {"state.backend.type", "hashmap"},
      {"pipeline.object-reuse", "true"},
      {"table.local-time-zone", "UTC"},
      {"table.exec.mini-batch.enabled", "true"},
      {"table.exec.mini-batch.allow-latency", "2 s"},
      {"table.exec.mini-batch.size", "50000"},
      {"table.optimizer.distinct-agg.split.enabled", "true"},
      {"metrics.reporters", "counter"},
      {"metrics.reporter.counter.factory.class", SourceCounter.class.getName()},
    };
    for (String[] option : options) settings.setString(option[0], option[1]);
    return settings;
  }

  /** Comments go, statements end with a semicolon. */
  private static String[] statementsOf(String script) {
    String text = script.replaceAll("(?m)^--.*$", "");
    return Arrays.stream(text.split(";"))
        .map(String::strip)
        .filter(statement -> !statement.isEmpty())
        .toArray(String[]::new);
  }

  /** The instant at which the source has read so many events. */
  private static Instant warmUp(
      org.apache.flink.core.execution.JobClient job, long events) throws Exception {
    while (!job.getJobStatus().get().isGloballyTerminalState()) {
      for (int i = 0; i < 50; i++) {
        Counter counter = SourceCounter.events;
        if (counter != null && counter.getCount() >= events) return Instant.now(counter.getCount());
        Thread.sleep(SAMPLE_MS);
      }
    }
    throw new IllegalStateException("the job ended before its warm-up");
  }

  private static long completedCheckpoints() {
    return SourceCounter.completedCheckpoints();
  }

  private static void print(Instant over, Instant end, long checkpoints) throws IOException {
    long gcMs = 0;
    for (GarbageCollectorMXBean gc : ManagementFactory.getGarbageCollectorMXBeans())
      gcMs += gc.getCollectionTime();
    System.out.printf(
        Locale.ROOT,
        "{\"rows\":%d,\"checksum\":%d,\"checkpoints\":%d,%s,\"timed\":{%s},"
            + "\"peakRssBytes\":%d,\"gcMs\":%d,\"gcMaxPauseMs\":0,"
            + "\"versions\":{\"java\":\"%s\",\"flink\":\"%s\"}}%n",
        ChecksumSink.totals.rows(),
        ChecksumSink.totals.value(),
        checkpoints,
        used(new Instant(0, 0, 0, 0), end),
        used(over, end),
        peakRssBytes(),
        gcMs,
        System.getProperty("java.version"),
        EnvironmentInformation.getVersion());
  }

  private static String used(Instant from, Instant to) {
    double sysMs = to.sysMs - from.sysMs;
    double userMs = to.cpuMs - from.cpuMs - sysMs;
    return String.format(
        Locale.ROOT,
        "\"events\":%d,\"wallMs\":%.2f,\"cpuUserMs\":%.2f,\"cpuSysMs\":%.2f",
        to.events - from.events,
        to.atMs - from.atMs,
        userMs,
        sysMs);
  }

  private static long peakRssBytes() throws IOException {
    Path status = Path.of("/proc/self/status");
    if (!Files.exists(status)) return 0;
    try (Stream<String> lines = Files.lines(status)) {
      return lines
          .filter(line -> line.startsWith("VmHWM:"))
          .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024)
          .findFirst()
          .orElse(0);
    }
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> paths = Files.walk(folder)) {
      for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) Files.deleteIfExists(path);
    }
  }
}
