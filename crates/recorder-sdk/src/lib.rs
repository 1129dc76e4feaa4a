//! Recorder in a process: builder, facade, prelude.
