//! Entries for fuzzing: arbitrary bytes of a client against the broker.
//!
//! Compiled for tests, which replay the seeds of `fuzz/seeds`, and for cargo-fuzz; a normal build has none of it.

use std::sync::{Arc, LazyLock};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use tokio::{runtime::Runtime, sync::Notify};

use super::{
    api,
    batch::BatchHeader,
    context::BrokerContext,
    fault_injection::{FaultInjector, InjectionConfig, fix_checksums},
    store::TopicStore,
};

const TOPIC: &str = "devices";
const MEMORY: crate::units::Bytes = crate::units::Bytes(16 << 20);

/// Timers of requests that wait belong to a runtime, which need not run: what waits is given up.
static RUNTIME: LazyLock<Option<Runtime>> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_all().build().ok());

fn context(injection: Option<InjectionConfig>) -> BrokerContext {
    let store = TopicStore::new(MEMORY);
    assert!(store.create(TOPIC, 2).is_ok(), "the topic cannot be created");
    BrokerContext { store, injector: injection.map(|config| Arc::new(FaultInjector::new(config))) }
}

/// Answers the requests of one connection: frames behind each other, until one breaks the protocol or waits.
pub fn requests(input: &[u8]) {
    let Some(runtime) = &*RUNTIME else { return };
    let _entered = runtime.enter();
    let shared = context(None);
    let mut context = api::RequestContext {
        shared: &shared,
        address: ([127, 0, 0, 1], 9_092).into(),
        waiter: Arc::new(Notify::new()),
    };
    let mut rest = input;
    while let Some((length, behind)) = rest.split_first_chunk::<4>()
        && let Some((request, next)) = behind.split_at_checked(u32::from_be_bytes(*length) as usize)
        && request.len() >= api::MIN_REQUEST_SIZE
    {
        rest = next;
        let mut output = BytesMut::new();
        let request = Bytes::copy_from_slice(request);
        let answered = api::handle_request(&mut context, request, &mut output).now_or_never();
        if !matches!(answered, Some(Ok(()))) {
            return;
        }
    }
}

/// Stores batches with faults injected; their checksums are made right, so that their records are decoded.
///
/// # Panics
/// Where a message is not accounted for.
pub fn injected_batches(input: &[u8]) {
    let config = InjectionConfig {
        drop: 0.2,
        duplicate: 0.2,
        corrupt: 0.2,
        refuse: 0.1,
        ..InjectionConfig::default()
    };
    let shared = context(Some(config));
    let bytes = fix_checksums(input);
    let (Ok(headers), Some(injector), Some(partition)) =
        (BatchHeader::read_all(&bytes), &shared.injector, shared.store.partition(TOPIC, 0))
    else {
        return;
    };
    let before = partition.log().end();
    let stored = injector.produce(&partition, &headers, bytes);
    let counts = injector.counts();
    assert!(
        stored.is_err()
            || counts.received + counts.duplicated
                == counts.stored + counts.dropped + counts.refused + counts.held,
        "messages are not accounted for: {counts:?}"
    );
    assert!(partition.log().end() >= before, "the log has become shorter");
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;

    fn replay(target: &str, run: fn(&[u8])) {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
        let files = fs::read_dir(folder).unwrap();
        let seeds: Vec<_> = files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
        assert!(!seeds.is_empty(), "{target} has no seeds");
        for seed in &seeds {
            run(seed);
        }
    }

    #[test]
    fn seeds_of_requests_and_batches() {
        replay("broker_requests", requests);
        replay("broker_batches", injected_batches);
    }
}
