//! Where the numbers were taken: processor, memory, kernel, compiler, load, and the disk of that minute.
#![expect(
    clippy::disallowed_methods,
    reason = "reads the kernel's own descriptions of the machine"
)]

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::Serialize;

use crate::clock::{monotonic, process_time};
use crate::pairs::Spread;

/// The machine, and how busy it was.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    memory_mib: u64,
    kernel: String,
    compiler: String,
    profile: &'static str,
    load_average: String,
    fdatasync_p50_us: f64,
}

impl Machine {
    /// Looks at this machine; the disk is that of `directory`.
    pub(crate) fn look(directory: &Path) -> anyhow::Result<Self> {
        let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        let memory = field(&file("/proc/meminfo"), "MemTotal");
        let kibibytes = memory.trim_end_matches(" kB").parse::<u64>().unwrap_or_default();
        let compiler = Command::new("rustc").arg("--version").output();
        let compiler = compiler.map(|output| output.stdout).unwrap_or_default();
        Ok(Self {
            processor: field(&file("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: kibibytes / 1024,
            kernel: file("/proc/sys/kernel/osrelease").trim().to_owned(),
            compiler: String::from_utf8_lossy(&compiler).trim().to_owned(),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" },
            load_average: file("/proc/loadavg").trim().to_owned(),
            fdatasync_p50_us: fdatasync_p50_us(directory)?,
        })
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { processor, cores, memory_mib, kernel, compiler, profile, load_average, .. } =
            self;
        writeln!(f, "{processor}, {cores} cores, {memory_mib} MiB, Linux {kernel}")?;
        writeln!(f, "{compiler}, {profile}; load {load_average}")?;
        write!(f, "append 1 KiB + fdatasync: p50 {:.0} us", self.fdatasync_p50_us)
    }
}

/// A moment, with all processor time used until then, to tell what others used since.
pub(crate) struct Busy {
    wall: Duration,
    own: Duration,
    all_seconds: f64,
}

impl Busy {
    /// This moment.
    pub(crate) fn now() -> anyhow::Result<Self> {
        let all_seconds = busy_seconds()?;
        Ok(Self { wall: monotonic(), own: process_time(), all_seconds })
    }

    /// Processors that others used since, on average.
    pub(crate) fn others_since(&self) -> anyhow::Result<f64> {
        let own = (process_time() - self.own).as_secs_f64();
        let all = busy_seconds()? - self.all_seconds;
        Ok((all - own) / (monotonic() - self.wall).as_secs_f64())
    }
}

/// Processors that others use, from now on for a second in which this program does nothing.
pub(crate) fn others_now() -> anyhow::Result<f64> {
    let busy = Busy::now()?;
    std::thread::sleep(Duration::from_secs(1));
    busy.others_since()
}

/// Processor seconds that all programs and the kernel have used since the machine was started.
fn busy_seconds() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    let ticks = line.split_whitespace().skip(1).map(str::parse::<f64>);
    let ticks = ticks.collect::<Result<Vec<_>, _>>()?;
    // user, nice, system, (idle, iowait,) irq, softirq, steal; in hundredths of a second.
    let busy = [0, 1, 2, 5, 6, 7].map(|place| ticks.get(place).copied().unwrap_or(0.0));
    Ok(busy.iter().sum::<f64>() / 100.0)
}

/// Another process' processor time, from a moment on.
pub(crate) struct ProcessTime {
    pid: u32,
    ticks: u64,
}

impl ProcessTime {
    /// From now on.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        Ok(Self { pid, ticks: ticks_of(pid)? })
    }

    /// Processor seconds that it has used since.
    pub(crate) fn since(&self) -> anyhow::Result<f64> {
        Ok((ticks_of(self.pid)? - self.ticks) as f64 / 100.0)
    }
}

/// User and kernel time of a process, in hundredths of a second.
fn ticks_of(pid: u32) -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name before the parenthesis may hold anything; utime and stime are the 12th and 13th after it.
    let (_, numbers) = stat.rsplit_once(')').unwrap_or_default();
    let times = numbers.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    Ok(times.collect::<Result<Vec<_>, _>>()?.iter().sum())
}

/// The memory that a process holds now, in KiB (`VmRSS`).
pub(crate) fn resident_memory_kib(pid: u32) -> anyhow::Result<u64> {
    kibibytes_of(&format!("/proc/{pid}/status"), "VmRSS:")
}

/// The median of a hundred appends of 1 KiB, each made durable.
fn fdatasync_p50_us(directory: &Path) -> anyhow::Result<f64> {
    let path = directory.join("fdatasync");
    let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
    let mut costs = Vec::with_capacity(100);
    for _ in 0..100 {
        let before = monotonic();
        file.write_all(&[0x5a; 1024])?;
        file.sync_data()?;
        costs.push((monotonic() - before).as_secs_f64() * 1e6);
    }
    std::fs::remove_file(&path)?;
    Ok(Spread::of(costs.into_iter()).median)
}

/// The most memory that this process has held, in KiB (`VmHWM`).
pub(crate) fn peak_memory_kib() -> anyhow::Result<u64> {
    kibibytes_of("/proc/self/status", "VmHWM:")
}

fn kibibytes_of(path: &str, name: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(path)?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let line = line.ok_or_else(|| anyhow::anyhow!("{path} has no {name}"))?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
