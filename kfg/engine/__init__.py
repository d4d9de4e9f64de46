"""The engine that runs recipes: photographs, options, one run and its folder, fitting, planning, and recording."""
