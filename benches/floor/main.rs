//! The floor of this machine, to be read beside every other benchmark of the same minutes:
//! `cargo bench --bench floor`.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on must fail")]

mod paced;

fn main() {
    paced::Floor::measure().print();
}
