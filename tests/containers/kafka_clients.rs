//! hubmark's own Kafka client beside librdkafka: the same load on one warm broker.

use std::fmt::Write;

use hubmark::{
    measure::Ledger,
    record::{Latency, Repetition},
};

use crate::support::{
    external_kafka::ExternalKafka, records::only_repetition, sandbox::Sandbox, turns::take_turn,
};

/// Pairs of runs at most; the test ends with the first pair after which the condition holds.
const PAIRS: usize = 6;
/// Difference of two medians that counts as none: a share, and microseconds.
const SHARE: f64 = 0.10;
const MICROSECONDS: f64 = 100.0;

/// What a client's runs have in common, and the best of each of their figures: other work on the machine makes a
/// figure worse, never better.
struct Best {
    ledger: Ledger,
    ack: f64,
    delivery: f64,
}

fn measure(sandbox: &Sandbox, kafka: &ExternalKafka, client: &str) -> (Ledger, f64, f64) {
    let profile = format!(
        "name = \"clients\"\nbackend = [\"kafka\"]\n[hub]\nkind = \"external\"\n[workload]\nkind = \"latency\"\nusers = 100\npayload = \"100 B\"\nmessages = 10\narrival = {{ distribution = \"normal\", mean = \"1 s\", deviation = \"250 ms\" }}\nwarmup = \"2 s\"\n[run]\nbaseline = \"0 s\"\n[kafka]\nclient = \"{client}\"\naddress = \"{}\"\n",
        kafka.address()
    );
    sandbox.save_profile("clients", &profile);
    let _ = std::fs::remove_file(sandbox.out_path());
    let output = sandbox.start(sandbox.run_command("clients", &[], &["-q"])).wait();
    output.reports(0, &[]);
    let record = sandbox.out_record();
    let repetition: &Repetition = only_repetition(&record);
    let median =
        |latency: &Option<Latency>| latency.as_ref().and_then(|latency| latency.p50).unwrap();
    let latency = &repetition.latency;
    (repetition.ledger, median(&latency.ack), median(&latency.delivery))
}

/// Both clients account for the same messages. hubmark's own delivers no later than librdkafka, within the
/// tolerance, and its acknowledgements are no later: librdkafka's are stamped when its producer is polled.
#[test]
#[ignore = "needs a Docker engine"]
fn both_clients_measure_the_same_on_one_warm_broker() {
    let _turn = take_turn("kafka_clients");
    let sandbox = Sandbox::with_engine();
    let kafka = ExternalKafka::start("clients", &[]);
    // The first runs warm the broker up.
    for client in ["librdkafka", "native"] {
        measure(&sandbox, &kafka, client);
    }
    let mut best: [Option<Best>; 2] = [None, None];
    let mut seen = String::new();
    for _ in 0..PAIRS {
        for (best, client) in best.iter_mut().zip(["native", "librdkafka"]) {
            let (ledger, ack, delivery) = measure(&sandbox, &kafka, client);
            writeln!(seen, "{client}: ack {ack} µs, delivery {delivery} µs").unwrap();
            let before = best.take().unwrap_or(Best { ledger, ack, delivery });
            assert_eq!(before.ledger, ledger, "the ledger of {client} changes from run to run");
            let (ack, delivery) = (before.ack.min(ack), before.delivery.min(delivery));
            *best = Some(Best { ledger, ack, delivery });
        }
        let [Some(own), Some(other)] = &best else { panic!("both have been measured") };
        assert_eq!(own.ledger, other.ledger, "the clients account for different messages");
        assert_eq!((own.ledger.planned, own.ledger.delivered), (1_000, 1_000));
        let allowed = (other.delivery * SHARE).max(MICROSECONDS);
        if own.delivery <= other.delivery + allowed && own.ack <= other.ack {
            println!("{seen}");
            return;
        }
    }
    panic!(
        "hubmark's own client is later than librdkafka in the best of {PAIRS} runs each:\n{seen}"
    );
}
