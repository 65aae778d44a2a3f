//! Measurements of the way to a container in which `serve.pl` answers.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep, timeout},
};

/// The port on which the container answers.
pub(super) const PORT: u16 = 7001;
/// Longest wait for one measurement.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// The beginning of a transfer fills the bucket and the buffers.
const LEAD: Duration = Duration::from_millis(300);

pub(super) async fn within<T>(measurement: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, measurement).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn open(address: SocketAddr, kind: u8) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&[kind]).await?;
    Ok(stream)
}

/// Waits until the container serves measurements.
pub(super) async fn answering(address: SocketAddr) -> Result<(), String> {
    let began = Instant::now();
    while let Err(error) = within(trips(address, 1, PATIENCE)).await {
        if began.elapsed() > PATIENCE {
            return Err(format!("nothing answers at {address}: {error}"));
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Bytes a second that come from the container, over `length`.
pub(super) async fn receive(address: SocketAddr, length: Duration) -> io::Result<f64> {
    let mut stream = open(address, b's').await?;
    let mut buffer = vec![0; 256 << 10];
    let began = Instant::now();
    let mut counted = (began, 0);
    let mut bytes = 0;
    while began.elapsed() < LEAD + length {
        match stream.read(&mut buffer).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => bytes += more,
        }
        if began.elapsed() < LEAD {
            counted = (Instant::now(), bytes);
        }
    }
    let (since, before) = counted;
    Ok((bytes - before) as f64 / since.elapsed().as_secs_f64())
}

/// Bytes a second that the container receives, at a link of about `rate`: as many are sent as the
/// link carries in `length`, and the container says when it has all of them.
pub(super) async fn send(address: SocketAddr, rate: f64, length: Duration) -> io::Result<f64> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    let mut stream = socket.connect(address).await?;
    stream.write_all(b"r").await?;
    let mut left = (rate * length.as_secs_f64()).clamp(65_536.0, 1e9) as usize;
    let nothing = vec![0; 64 << 10];
    let began = Instant::now();
    while left > 0 {
        left -= stream.write(&nothing[..left.min(nothing.len())]).await?;
    }
    stream.shutdown().await?;
    let mut said = String::new();
    stream.read_to_string(&mut said).await?;
    let bytes: f64 = said.trim().parse().map_err(io::Error::other)?;
    Ok(bytes / began.elapsed().as_secs_f64())
}

/// Seconds of round trips of a small message, one after the other: `count`, or as many as fit into
/// `length`.
pub(super) async fn trips(
    address: SocketAddr,
    count: u32,
    length: Duration,
) -> io::Result<Vec<f64>> {
    let mut stream = open(address, b'e').await?;
    let mut message = [0; 64];
    let mut seconds = Vec::new();
    let started = Instant::now();
    for _ in 0..count {
        let began = Instant::now();
        if began - started > length {
            break;
        }
        stream.write_all(&message).await?;
        stream.read_exact(&mut message).await?;
        seconds.push(began.elapsed().as_secs_f64());
    }
    Ok(seconds)
}
