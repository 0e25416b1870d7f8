//! Process: jobs and endpoints as supervised child processes.
