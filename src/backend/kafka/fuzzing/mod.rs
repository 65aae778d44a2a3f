//! Entries for fuzzing: arbitrary bytes of a server against hubmark's own client.
//!
//! Compiled for tests, which replay the seeds of `fuzz/seeds`, and for cargo-fuzz; a normal build has none of it.
//! An entry panics where the client breaks one of its promises. The first bytes of an input choose the settings,
//! the rest is what a server sends.
//!
//! | file | content |
//! |---|---|
//! | `producer` | one user: outcomes of its messages |
//! | `consumer` | the partitions of one broker: arrivals |
//! | `answers` | answers that are not about messages; batches of records |

mod answers;
mod consumer;
mod producer;
#[cfg(test)]
mod tests;

pub use answers::{control_answer, record_batches};
pub use consumer::consumer_answers;
pub use producer::producer_answers;

use super::target::{KafkaAccount, KafkaTarget};

fn target(has_account: bool) -> KafkaTarget {
    let account = KafkaAccount { user: "device".into(), password: "secret".into() };
    let target = KafkaTarget::new("kafka", ([127, 0, 0, 1], 9_092).into());
    KafkaTarget { account: has_account.then_some(account), ..target }
}

/// Passes `server` to `receive` in pieces of `piece` bytes, as reads of a socket do; `receive` returns the bytes that
/// it has consumed, or `None` where the connection is lost.
fn feed(server: &[u8], piece: usize, mut receive: impl FnMut(&[u8]) -> Option<usize>) {
    let mut held: Vec<u8> = Vec::new();
    for read in server.chunks(piece.max(1)) {
        held.extend_from_slice(read);
        let Some(consumed) = receive(&held) else { return };
        assert!(consumed <= held.len(), "it consumes more than there is");
        held.drain(..consumed);
    }
}
