//! The layout of bytes that the built-in broker and the clients of its protocol share.
//!
//! | file | content |
//! |---|---|
//! | [`batch`] | positions of a record batch's header fields |
//! | [`message`] | shapes of requests and answers: a check of all lengths before anything is decoded |

pub mod batch;
pub mod message;
