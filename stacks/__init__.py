"""The CDK app's rooms: one stack that holds the whole of Certifier in one account and Region."""
