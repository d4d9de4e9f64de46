"""What runs a recipe: its photographs, its options, one run and its folder, fitting, planning, and what is recorded."""
