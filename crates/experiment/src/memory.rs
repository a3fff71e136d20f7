//! How much memory this process holds, as the operating system counts it.

/// The most physical memory this process ever held, in bytes; `None` where the system does not tell.
pub fn peak_resident_bytes() -> Option<u64> {
    status_field("VmHWM")
}

/// The physical memory this process holds now, in bytes; `None` where the system does not tell.
pub fn resident_bytes() -> Option<u64> {
    status_field("VmRSS")
}

/// Forgets what [`peak_resident_bytes`] saw so far, so that it counts from what is held now; whether the system can do so.
pub fn reset_peak() -> bool {
    // See proc(5): 5 sets the peak to the present value.
    std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

fn status_field(name: &str) -> Option<u64> {
    parse(&std::fs::read_to_string("/proc/self/status").ok()?, name)
}

/// Reads a line such as `VmRSS:    1234 kB`, where the kernel's kB are 1024 bytes.
fn parse(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let kibibytes: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_lines_are_understood() {
        let status = "VmHWMx:\t 1 kB\nVmHWM:\t   20 kB\nVmRSS:\t   12 kB\n";
        assert_eq!(parse(status, "VmHWM"), Some(20 * 1024));
        assert_eq!(parse(status, "VmRSS"), Some(12 * 1024));
    }

    #[test]
    fn what_is_not_told_is_none() {
        assert_eq!(parse("", "VmRSS"), None);
        assert_eq!(parse("VmRSS: many kB", "VmRSS"), None);
        assert_eq!(parse("VmRSS: 3", "VmRSS"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_peak_sees_an_allocation() {
        let before = resident_bytes().unwrap();
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        assert!(peak_resident_bytes().unwrap() >= before.max(64 << 20));
        assert!(resident_bytes().unwrap() > 64 << 20);
        drop(block);
    }
}
