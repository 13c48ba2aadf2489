//! Safe wrapper over ncnn's C API: the only unsafe code of the project.
