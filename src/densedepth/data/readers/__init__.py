"""One file a layout, and what several of them share. Opened by name through `densedepth.data.open_dataset`."""
