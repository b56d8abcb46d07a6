"""Reading facts out of what hubs say and what files hold."""
