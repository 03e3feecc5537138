"""What a shell's storage commands build."""
