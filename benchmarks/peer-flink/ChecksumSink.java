package tidemill.peer;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.connector.sink.SinkV2Provider;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.binary.BinaryStringData;
import org.apache.flink.table.factories.DynamicTableSinkFactory;
import org.apache.flink.table.types.logical.DecimalType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.types.RowKind;

/**
 * The connector `checksum`: counts rows and reads every column, as `nexmark/checksum.ts` does, on Flink's own rows and
 * without converting them. Rows that are taken back are subtracted. With a primary key later rows replace earlier ones,
 * so that Flink need not send what it takes back.
 */
public final class ChecksumSink implements DynamicTableSinkFactory {
  /** The job runs in this process with one subtask; its result stays here when it ends. */
  static volatile Totals totals = new Totals(List.of(), new int[0]);

  @Override
  public String factoryIdentifier() {
    return "checksum";
  }

  @Override
  public Set<ConfigOption<?>> requiredOptions() {
    return Set.of();
  }

  @Override
  public Set<ConfigOption<?>> optionalOptions() {
    return Set.of();
  }

  @Override
  public DynamicTableSink createDynamicTableSink(Context context) {
    return new Table(
        context.getPhysicalRowDataType().getLogicalType().getChildren(),
        context.getPrimaryKeyIndexes());
  }

  private record Table(List<LogicalType> columns, int[] key) implements DynamicTableSink {
    @Override
    public ChangelogMode getChangelogMode(ChangelogMode requested) {
      return key.length == 0 ? requested : ChangelogMode.upsert();
    }

    @Override
    public SinkRuntimeProvider getSinkRuntimeProvider(Context context) {
      return SinkV2Provider.of(new Summing(new ArrayList<>(columns), key), 1);
    }

    @Override
    public DynamicTableSink copy() {
      return this;
    }

    @Override
    public String asSummaryString() {
      return "checksum";
    }
  }

  private record Summing(ArrayList<LogicalType> columns, int[] key) implements Sink<RowData> {
    @Override
    public SinkWriter<RowData> createWriter(WriterInitContext context) {
      totals = new Totals(columns, key);
      return totals;
    }
  }

  static final class Totals implements SinkWriter<RowData> {
    private final LogicalTypeRoot[] kinds;
    private final int[] precisions;
    private final int[] scales;
    private final int[] key;
    private final Map<String, Integer> byKey = new HashMap<>();
    private long rows;
    private int value;

    Totals(List<LogicalType> columns, int[] key) {
      int count = columns.size();
      this.key = key;
      kinds = new LogicalTypeRoot[count];
      precisions = new int[count];
      scales = new int[count];
      for (int i = 0; i < count; i++) {
        LogicalType type = columns.get(i);
        kinds[i] = type.getTypeRoot();
        if (type instanceof DecimalType decimal) {
          precisions[i] = decimal.getPrecision();
          scales[i] = decimal.getScale();
        }
      }
    }

    long rows() {
      return key.length == 0 ? rows : byKey.size();
    }

    int value() {
      return value;
    }

    @Override
    public void write(RowData row, Context context) {
      int sum = 0;
      for (int i = 0; i < kinds.length; i++) sum += columnOf(row, i);
      RowKind kind = row.getRowKind();
      boolean added = kind == RowKind.INSERT || kind == RowKind.UPDATE_AFTER;
      if (key.length > 0) {
        Integer before = added ? byKey.put(keyOf(row), sum) : byKey.remove(keyOf(row));
        value += (added ? sum : 0) - (before == null ? 0 : before);
      } else {
        rows += added ? 1 : -1;
        value += added ? sum : -sum;
      }
    }

    private int columnOf(RowData row, int i) {
      return switch (kinds[i]) {
        case BIGINT -> (int) row.getLong(i);
        case VARCHAR, CHAR -> ((BinaryStringData) row.getString(i)).numChars();
        case INTEGER -> row.getInt(i);
        case DECIMAL ->
            row.getDecimal(i, precisions[i], scales[i]).toBigDecimal().unscaledValue().intValue();
        case TIMESTAMP_WITHOUT_TIME_ZONE, TIMESTAMP_WITH_LOCAL_TIME_ZONE ->
            (int) row.getTimestamp(i, 3).getMillisecond();
        default -> throw new IllegalStateException("no checksum of " + kinds[i]);
      };
    }

    private String keyOf(RowData row) {
      StringBuilder text = new StringBuilder();
      for (int i : key) {
        text.append(kinds[i] == LogicalTypeRoot.BIGINT ? row.getLong(i) : row.getString(i));
        text.append('|');
      }
      return text.toString();
    }

    @Override
    public void flush(boolean endOfInput) {}

    @Override
    public void close() {}
  }
}
