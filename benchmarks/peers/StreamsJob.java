import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * The simple job on Kafka Streams, one thread: StreamsJob BROKERS PREFIX CHANGES_TOPIC STATE_FOLDER cached|uncached. Ended by
 * a signal.
 *
 * <p>State in RocksDB with its changelog topic, at least once, commits every 5 s as Quix does (30 s is its default). A
 * processor's store is not cached by default: each event writes it and its changelog. Cached, the changelog gets one record a
 * customer and commit. The state is packed by hand. The producer lingers 100 ms, Kafka Streams' default.
 */
public final class StreamsJob {
  private static final int REPORT_EVENTS = 1_000; // between two lines of the count
  private static final long DAY_MS = 86_400_000L; // clicks halve in a day: as stream/bench/plain_faust.py
  private static final double[] CLICK_BORDERS = {1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0};
  private static final double[] SPEND_BORDERS = {50.0, 100.0, 250.0, 500.0, 1000.0, 2000.0}; // the same
  private static final int COMMIT_MS = 5_000;
  private static final String STORE = "customers";

  private StreamsJob() {}

  /** What the job needs of a click or a purchase. */
  @JsonIgnoreProperties(ignoreUnknown = true)
  public static final class Event {
    public long ts;
    public Double amount; // null: a click
  }

  private static final class Apply implements Processor<String, byte[], String, byte[]> {
    private final ObjectReader reader = new ObjectMapper().readerFor(Event.class);
    private ProcessorContext<String, byte[]> context;
    private KeyValueStore<String, byte[]> store;
    private static long events, changes; // of the one thread that there is, over its four tasks

    @Override
    public void init(final ProcessorContext<String, byte[]> given) {
      context = given;
      store = given.getStateStore(STORE);
    }

    @Override
    public void process(final Record<String, byte[]> record) {
      final Event event;
      try {
        event = reader.readValue(record.value());
      } catch (final java.io.IOException error) {
        throw new java.io.UncheckedIOException(error);
      }
      final byte[] known = store.get(record.key());
      double amount = 0.0, clicks = 0.0;
      int previous = -1;
      if (known != null) {
        final ByteBuffer state = ByteBuffer.wrap(known);
        amount = state.getDouble();
        clicks = state.getDouble() * Math.pow(0.5, (double) Math.max(event.ts - state.getLong(), 0L) / DAY_MS);
        previous = state.getInt();
      }
      if (event.amount == null) {
        clicks += 1.0;
      } else {
        amount += event.amount;
      }
      final int segment = 100 * reached(SPEND_BORDERS, amount) + reached(CLICK_BORDERS, clicks);
      final ByteBuffer next = ByteBuffer.allocate(28);
      store.put(record.key(), next.putDouble(amount).putDouble(clicks).putLong(event.ts).putInt(segment).array());
      if (segment != previous) {
        changes++;
        final String before = previous < 0 ? "" : name(previous);
        final String change =
            "{\"customer_id\":\"" + record.key() + "\",\"previous\":\"" + before + "\",\"segment\":\""
                + name(segment) + "\"}";
        context.forward(record.withValue(change.getBytes(StandardCharsets.UTF_8)));
      }
      if (++events % REPORT_EVENTS == 0) {
        System.out.println(
            "{\"wall_ms\":" + System.currentTimeMillis() + ",\"events\":" + events + ",\"changes\":" + changes + "}");
      }
    }

    private static String name(final int segment) {
      return "spend " + segment / 100 + " clicks " + segment % 100;
    }

    private static int reached(final double[] borders, final double x) {
      int count = 0;
      while (count < borders.length && x >= borders[count]) {
        count++;
      }
      return count;
    }
  }

  /** Runs until killed. */
  public static void main(final String[] arguments) {
    final String prefix = arguments[1];
    final StreamsBuilder builder = new StreamsBuilder();
    final StoreBuilder<KeyValueStore<String, byte[]>> store =
        Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(STORE), Serdes.String(), Serdes.ByteArray());
    builder.addStateStore("cached".equals(arguments[4]) ? store.withCachingEnabled() : store.withCachingDisabled());
    builder
        .stream(List.of(prefix + "clicks", prefix + "purchases"), Consumed.with(Serdes.String(), Serdes.ByteArray()))
        .process(Apply::new, STORE)
        .to(arguments[2], Produced.with(Serdes.String(), Serdes.ByteArray()));
    final Properties properties = new Properties();
    properties.put(StreamsConfig.APPLICATION_ID_CONFIG, prefix + "streams-" + arguments[4]);
    properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
    properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, COMMIT_MS);
    properties.put(StreamsConfig.STATE_DIR_CONFIG, arguments[3]);
    properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
    new KafkaStreams(builder.build(), properties).start();
  }
}
