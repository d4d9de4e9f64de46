"""Why classes are weak and what helps: suspicious labels, causes by class, remedies tried on unseen photographs."""
