package tidemill.peer;

import java.util.Properties;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Metric;
import org.apache.flink.metrics.MetricConfig;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.reporter.MetricReporter;
import org.apache.flink.metrics.reporter.MetricReporterFactory;

/**
 * Finds two figures among Flink's own metrics: the events that the source has read and the checkpoints that were
 * completed. The instant at which the warm-up ends is seen from outside; nothing is added to the way of the rows.
 */
public final class SourceCounter implements MetricReporterFactory, MetricReporter {
  static volatile Counter events;
  private static volatile Gauge<?> checkpoints;

  static long completedCheckpoints() {
    return checkpoints != null && checkpoints.getValue() instanceof Number count ? count.longValue() : 0;
  }

  @Override
  public MetricReporter createMetricReporter(Properties properties) {
    return this;
  }

  @Override
  public void open(MetricConfig config) {}

  @Override
  public void close() {}

  @Override
  public void notifyOfAddedMetric(Metric metric, String name, MetricGroup group) {
    String operator = group.getAllVariables().getOrDefault("<operator_name>", "");
    boolean found = name.equals("numRecordsOut") && operator.startsWith("Source:");
    if (found && metric instanceof Counter counter) events = counter;
    if (name.equals("numberOfCompletedCheckpoints") && metric instanceof Gauge<?> gauge)
      checkpoints = gauge;
  }

  @Override
  public void notifyOfRemovedMetric(Metric metric, String name, MetricGroup group) {}
}
