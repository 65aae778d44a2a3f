import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** A client for which the broker loads the classes that serve clients, before its classes are archived. */
class Warm {
    private static final String TOPIC = "warm";
    private static final int MESSAGES = 1000;

    public static void main(String[] args) throws Exception {
        Map<String, Object> settings = Map.of("bootstrap.servers", args[0]);
        try (Admin admin = Admin.create(settings)) {
            createTopic(admin);
            try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
                for (int i = 0; i < MESSAGES; i++) {
                    producer.send(new ProducerRecord<>(TOPIC, new byte[100])).get();
                }
            }
            try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
                var partition = List.of(new TopicPartition(TOPIC, 0));
                consumer.assign(partition);
                consumer.seekToBeginning(partition);
                for (int seen = 0; seen < MESSAGES; ) {
                    seen += consumer.poll(Duration.ofSeconds(1)).count();
                }
            }
            admin.deleteTopics(List.of(TOPIC)).all().get();
        }
    }

    private static void createTopic(Admin admin) throws Exception {
        for (int attempt = 0; ; attempt++) {
            try {
                admin.createTopics(List.of(new NewTopic(TOPIC, Optional.of(1), Optional.empty()))).all().get();
                return;
            } catch (java.util.concurrent.ExecutionException notYet) {
                if (attempt == 5) {
                    throw notYet;
                }
                Thread.sleep(1000);
            }
        }
    }
}
