//! Thread priorities: counting may wait, redirects may not.

/// Lowers this thread's priority. On Linux a thread has its own; elsewhere nothing happens.
pub fn step_back() {
    #[cfg(target_os = "linux")]
    {
        let me = Some(rustix::thread::gettid());
        let nice = rustix::process::getpriority_process(me).unwrap_or(0);
        // Refused only to a thread that is already nicer; then it is.
        let _ = rustix::process::setpriority_process(me, (nice + 10).min(19));
    }
}
