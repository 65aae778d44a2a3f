//! The load of a repetition: threads that send on schedule, receive, and warm a server up.
//!
//! [`sender`] sends each message at its due time, on the thread of [`sending_thread`]; [`pacer`] waits until a
//! due time, which [`due_times`] computes; [`threads`] owns the consumer's thread and closes the fleet; [`server_warmup`] runs an unmeasured load before the measured
//! load; [`phase_timer`] measures the length of each phase of a repetition.

pub mod due_times;
pub mod pacer;
pub mod phase_timer;
pub mod sender;
pub mod sending_thread;
pub mod server_warmup;
pub mod threads;
